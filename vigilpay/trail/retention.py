"""How long the audit trail is kept."""

from datetime import timedelta
from time import monotonic
from typing import Any

from django.apps import apps as installed
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone
from django_q.models import Schedule

from customers.sql import execute
from events.queue import schedules
from vigilpay.trail.models import TrailEntry

# So many are deleted in one statement, whatever there is to delete.
SLICE_ROWS = 5000

# The entry of an erasure is the proof that it was made, and names no one.
PRUNE = """
DELETE FROM vigilpay_trailentry WHERE id IN (
    SELECT id FROM vigilpay_trailentry WHERE at < %(before)s AND purpose <> %(kept)s ORDER BY id LIMIT %(rows)s)
"""

NAME = "prune the audit trail"
SCHEDULES = {
    NAME: {"func": "vigilpay.trail.retention.prune_trail", "schedule_type": Schedule.DAILY, "minutes": None},
}


def prune_trail() -> int:
    """Delete entries older than the setting keeps; how many. Ends in time: what is left is deleted the next day."""
    before = timezone.now() - timedelta(days=settings.TRAIL_DAYS)
    ends, deleted = monotonic() + settings.DRAIN_SECONDS, 0
    values = {"before": before, "kept": TrailEntry.Purpose.ERASE, "rows": SLICE_ROWS}
    while (gone := execute(PRUNE, values)) and monotonic() < ends:
        deleted += gone
    return deleted + gone


def ensure_pruning(using: str = DEFAULT_DB_ALIAS, apps: Any = installed, **kwargs: Any) -> None:
    """Create or correct the schedule. Connected to ``post_migrate``."""
    try:
        apps.get_model("django_q", "Schedule")
    except LookupError:
        return  # migrated so far that there is no queue yet
    schedules.ensure(SCHEDULES, using)
