"""The schedules of jobs that concern the whole house; made by ``migrate``, as those of the engine."""

from typing import Any

from django_q.models import Schedule

from events.queue import schedules

SCHEDULES = {
    "prune sessions and tokens": {
        "func": "vigilpay.jobs.prune_access",
        "schedule_type": Schedule.DAILY,
        "minutes": None,
    },
}


def ensure_schedules(using: str, **kwargs: Any) -> None:
    """Connected to ``post_migrate``."""
    schedules.ensure(SCHEDULES, using)
