"""How long contacts and worklist items are kept."""

from datetime import datetime

from customers.history.retention import prune_slices
from customers.models import Contact

# What still binds the bank stays: a follow-up to come, and the request not to be contacted.
PRUNE_CONTACTS = f"""
WITH slice AS MATERIALIZED (
    SELECT id, at FROM customers_contact WHERE id > %(after)s ORDER BY id LIMIT %(rows)s
), gone AS (
    DELETE FROM customers_contact AS contact USING slice
    WHERE contact.id = slice.id AND slice.at < %(before)s AND contact.outcome <> '{Contact.Outcome.NO_CONTACT}'
        AND COALESCE(contact.follow_up_on < CURRENT_DATE, true)
    RETURNING contact.id
)
SELECT max(id), min(at) < %(before)s, (SELECT count(*) FROM gone) FROM slice
"""

PRUNE_ITEMS = """
WITH slice AS MATERIALIZED (
    SELECT id, claimed_at FROM customers_worklistitem WHERE id > %(after)s ORDER BY id LIMIT %(rows)s
), gone AS (
    DELETE FROM customers_worklistitem AS item USING slice
    WHERE item.id = slice.id AND item.done_at < %(before)s
    RETURNING item.id
)
SELECT max(id), min(claimed_at) < %(before)s, (SELECT count(*) FROM gone) FROM slice
"""


def prune_outreach(before: datetime, ends: float) -> int:
    """Delete contacts and finished worklist items older than that, in short transactions; how many rows it was.

    ``ends``: the moment of ``time.monotonic`` at which it stops; what is left is deleted the next day.
    """
    contacts, _ = prune_slices(PRUNE_CONTACTS, before, 0, ends)
    items, _ = prune_slices(PRUNE_ITEMS, before, 0, ends)
    return contacts + items
