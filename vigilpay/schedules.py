"""The schedules of jobs that concern the whole house; made by ``migrate``, as those of the engine."""

from typing import Any

from django.apps import apps as installed
from django.db import DEFAULT_DB_ALIAS
from django_q.models import Schedule

from events.queue import schedules

SCHEDULES = {
    "prune sessions and tokens": {
        "func": "vigilpay.jobs.prune_access",
        "schedule_type": Schedule.DAILY,
        "minutes": None,
    },
    "prune the audit trail": {
        "func": "vigilpay.jobs.prune_trail",
        "schedule_type": Schedule.DAILY,
        "minutes": None,
    },
}


def ensure_schedules(using: str = DEFAULT_DB_ALIAS, apps: Any = installed, **kwargs: Any) -> None:
    """Create or correct them. Connected to ``post_migrate``."""
    try:
        apps.get_model("django_q", "Schedule")
    except LookupError:
        return  # migrated so far that there is no queue yet
    schedules.ensure(SCHEDULES, using)
