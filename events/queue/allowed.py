"""Which functions workers run: the engine's own, and those that the settings name.

A job is a dotted path in a table, and so is a schedule. Without this list, write access to one of them would be enough
to run any function of any package, such as ``os.system``.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

OURS = frozenset(
    {
        *(
            f"events.jobs.{name}"
            for name in ("rescore_stale", "sweep_stale", "look_at_everybody", "go_on_with_imports")
        ),
        *(f"events.jobs.{name}" for name in ("audit_sample", "check_drift", "send_alerts", "count_overview")),
        *(f"events.jobs.{name}" for name in ("prune_history", "report_refused", "search_moves", "take_snapshot")),
        *("events.jobs.send_digest", "events.jobs.activate_approved", "events.jobs.check_fairness"),
        "events.jobs.score_in_shadow",
        "customers.imports.work.work_off",  # as earlier versions have queued it
    }
)
REFUSED_JOB = "events.jobs.report_refused"
# What django-q2 would do after a job, or instead of queueing it.
ASIDES = ("hook", "chain", "sync")


def refusal(job: Mapping[str, Any]) -> str:
    """Why workers do not run this job; empty when they do."""
    function = job.get("func")
    if not isinstance(function, str) or (function not in OURS and function not in settings.JOBS_ALLOWED):
        return f"{function!r:.200} is not among the functions that workers run"
    if asked := [name for name in ASIDES if job.get(name)]:
        return f"{function} comes with {', '.join(asked)}, which workers do not follow"
    return ""


def replace_refused(task: dict[str, Any], **kwargs: Any) -> None:
    """Let a refused job say so in the worker's log, and nothing else. Connected to ``pre_enqueue``.

    Raising would end the scheduler's turn, and one bad schedule would hold up all the others.
    """
    if reason := refusal(task):
        for name in ASIDES:
            task.pop(name, None)
        task.update(func=REFUSED_JOB, args=(reason,), kwargs={})
