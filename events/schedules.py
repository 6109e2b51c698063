"""The schedules that every worker needs; made by ``migrate``, so that ``qcluster`` alone is a complete worker."""

from typing import Any

from django_q.models import Schedule

SCHEDULES = {
    "sweep stale customers": {"func": "events.jobs.sweep_stale", "schedule_type": Schedule.MINUTES, "minutes": 1},
    "look at everybody": {"func": "events.jobs.look_at_everybody", "schedule_type": Schedule.HOURLY},
}


def ensure_schedules(using: str, **kwargs: Any) -> None:
    """Create or correct the schedules. Names are not unique in django-q2, so a doubled one is cleared away."""
    for name, values in SCHEDULES.items():
        same_name = Schedule.objects.using(using).filter(name=name)
        same_name.filter(pk__in=list(same_name.order_by("pk").values_list("pk", flat=True)[1:])).delete()
        Schedule.objects.using(using).update_or_create(name=name, defaults=values)
