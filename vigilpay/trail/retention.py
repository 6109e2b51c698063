"""How long the audit trail is kept."""

from datetime import timedelta
from time import monotonic

from django.conf import settings
from django.utils import timezone

from customers.history.retention import prune_slices

# The entry of an erasure is the proof that it was made, and names no one.
PRUNE = """
WITH slice AS MATERIALIZED (
    SELECT id, at, purpose FROM vigilpay_trailentry WHERE id > %(after)s ORDER BY id LIMIT %(rows)s
), gone AS (
    DELETE FROM vigilpay_trailentry AS entry USING slice
    WHERE entry.id = slice.id AND slice.at < %(before)s AND slice.purpose <> 'erase'
    RETURNING entry.id
)
SELECT max(id), min(at) < %(before)s, (SELECT count(*) FROM gone) FROM slice
"""


def prune_trail() -> int:
    """Delete entries older than the setting keeps; how many. Ends in time: what is left is deleted the next day."""
    before = timezone.now() - timedelta(days=settings.TRAIL_DAYS)
    deleted, _go_on_after = prune_slices(PRUNE, before, 0, monotonic() + settings.DRAIN_SECONDS)
    return deleted
