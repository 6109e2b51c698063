"""How long the audit trail is kept."""

from datetime import timedelta
from time import monotonic

from django.conf import settings
from django.utils import timezone

from customers.sql import execute
from vigilpay.trail.models import TrailEntry

# So many are deleted in one statement, whatever there is to delete.
SLICE_ROWS = 5000

# The entry of an erasure is the proof that it was made, and names no one.
PRUNE = """
DELETE FROM vigilpay_trailentry WHERE id IN (
    SELECT id FROM vigilpay_trailentry WHERE at < %(before)s AND purpose <> %(kept)s ORDER BY id LIMIT %(rows)s)
"""


def prune_trail() -> int:
    """Delete entries older than the setting keeps; how many. Ends in time: what is left is deleted the next day."""
    before = timezone.now() - timedelta(days=settings.TRAIL_DAYS)
    ends, deleted = monotonic() + settings.DRAIN_SECONDS, 0
    values = {"before": before, "kept": TrailEntry.Purpose.ERASE, "rows": SLICE_ROWS}
    while (gone := execute(PRUNE, values)) and monotonic() < ends:
        deleted += gone
    return deleted + gone
