"""The schedules that every worker needs; made by ``migrate``, so that ``qcluster`` alone is a complete worker."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django_q.models import Schedule

SCHEDULES = {
    "sweep stale customers": {"func": "events.jobs.sweep_stale", "schedule_type": Schedule.MINUTES, "minutes": 1},
    "go on with imports": {"func": "events.jobs.go_on_with_imports", "schedule_type": Schedule.MINUTES, "minutes": 1},
    "look at everybody": {"func": "events.jobs.look_at_everybody", "schedule_type": Schedule.MINUTES, "minutes": 5},
    "prune the history": {"func": "events.jobs.prune_history", "schedule_type": Schedule.DAILY, "minutes": None},
    "audit some scores": {"func": "events.jobs.audit_sample", "schedule_type": Schedule.HOURLY, "minutes": None},
    "check for drift": {"func": "events.jobs.check_drift", "schedule_type": Schedule.DAILY, "minutes": None},
    "check fairness": {"func": "events.jobs.check_fairness", "schedule_type": Schedule.DAILY, "minutes": None},
    "take the snapshot": {"func": "events.jobs.take_snapshot", "schedule_type": Schedule.MINUTES, "minutes": 5},
    "send the digest": {"func": "events.jobs.send_digest", "schedule_type": Schedule.MINUTES, "minutes": 15},
    # So that the first visitor of a day sees figures of that day; from then on each visit brings new ones.
    "count the overview": {"func": "events.jobs.count_overview", "schedule_type": Schedule.MINUTES, "minutes": 5},
    # Where a search takes seconds the job itself keeps its pace.
    "search for moves": {"func": "events.jobs.search_moves", "schedule_type": Schedule.MINUTES, "minutes": 1},
    # Without a shadow run it has one short query to ask.
    "score in shadow": {"func": "events.jobs.score_in_shadow", "schedule_type": Schedule.MINUTES, "minutes": 1},
}
# A schedule's first run, where that is not at once: the audit brings scikit-learn into a worker, which has better
# things to do when it has just begun, and drift and fairness are checked when a first load is scored. Pruning comes
# when an administrator has had the time to say how long to keep. The first snapshot of the portfolio is to find some
# scores.
FIRST_AFTER = {
    "audit some scores": timedelta(minutes=10),
    "take the snapshot": timedelta(minutes=10),
    "check for drift": timedelta(hours=1),
    "check fairness": timedelta(hours=2),
    "prune the history": timedelta(days=1),
}


def ensure_schedules(using: str, **kwargs: Any) -> None:
    """Connected to ``post_migrate``."""
    ensure(SCHEDULES, using)


def ensure(schedules: Mapping[str, Mapping[str, Any]], using: str) -> None:
    """Create or correct these schedules. Names are not unique in django-q2, so a doubled one is cleared away."""
    for name, values in schedules.items():
        same_name = Schedule.objects.using(using).filter(name=name)
        same_name.filter(pk__in=list(same_name.order_by("pk").values_list("pk", flat=True)[1:])).delete()
        Schedule.objects.using(using).update_or_create(
            name=name,
            defaults=values,
            create_defaults={**values, "next_run": timezone.now() + FIRST_AFTER.get(name, timedelta())},
        )
