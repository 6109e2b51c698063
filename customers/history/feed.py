"""Where a reader of the feed of changed scores is, and which customers have changed since: no change is passed over.

A transaction may commit after others that began later, so neither ids nor times are in the order of commits. The order
here is that of the transactions' ids, and a page ends before the oldest transaction that is still open: all before that
have ended, and none of them can still add to what was read. docs/decisions/0034-change-feed.md has the reasons.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from customers.sql import execute, fetch_rows

POSITION = re.compile(r"([0-9a-f]{32})\.([0-9]{1,18})\.([0-9]{1,18})\.([0-9]{1,9})")

# Transactions are counted by the cluster, and the table is made anew by a restore, within a cluster, too.
IDENTITY = """(SELECT system_identifier FROM pg_control_system()) || '.' || (
    SELECT oid FROM pg_database WHERE datname = current_database()) || '.' || 'customers_scorechange'::regclass::oid"""

# Only if none has begun, or the one that has is another database's. What is there by now and belongs to transactions
# that are still to come was brought here by a restore.
BEGIN_EPOCH = f"""
INSERT INTO customers_feedepoch AS epoch (id, identity, last_foreign_change, first_transaction)
SELECT 1, {IDENTITY}, COALESCE((SELECT max(id) FROM customers_scorechange), 0),
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint
ON CONFLICT (id) DO UPDATE SET identity = excluded.identity, token = DEFAULT,
    last_foreign_change = excluded.last_foreign_change, first_transaction = excluded.first_transaction,
    pruned_transaction = DEFAULT, pruned_change = DEFAULT
WHERE epoch.identity <> excluded.identity
"""
FOREIGN = "(change.id <= epoch.last_foreign_change AND change.transaction_id >= epoch.first_transaction)"
HORIZON = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

# One statement, so that all is of one moment: the epoch, what was deleted, the oldest open transaction, the changes. A
# row without a customer if there are none; no row if there is no epoch. Every change names a customer, and of the first
# that is looked at all may have been read.
READ = f"""
SELECT replace(epoch.token::text, '-', ''), epoch.pruned_transaction, epoch.pruned_change, {HORIZON}, (
        SELECT change.changed_at FROM customers_scorechange AS change
        WHERE change.transaction_id >= {HORIZON} AND NOT {FOREIGN}
        ORDER BY change.transaction_id, change.id LIMIT 1
    ), found.transaction_id, found.id, found.place, found.customer_id
FROM customers_feedepoch AS epoch LEFT JOIN LATERAL (
    SELECT change.transaction_id, change.id, told.place, told.customer_id
    FROM (
        SELECT change.transaction_id, change.id, change.customer_ids FROM customers_scorechange AS change
        WHERE (change.transaction_id, change.id) >= (%(transaction)s, %(change)s)
            AND change.transaction_id < {HORIZON} AND NOT {FOREIGN}
        ORDER BY change.transaction_id, change.id LIMIT %(limit)s + 1
    ) AS change CROSS JOIN LATERAL unnest(change.customer_ids) WITH ORDINALITY AS told (customer_id, place)
    WHERE (change.transaction_id, change.id, told.place) > (%(transaction)s, %(change)s, %(place)s)
    ORDER BY change.transaction_id, change.id, told.place LIMIT %(limit)s
) AS found ON %(is_asked)s
WHERE epoch.identity = {IDENTITY}
ORDER BY found.transaction_id, found.id, found.place
"""


class PositionGoneError(Exception):
    """What came after this position is no longer known; the reader has to read all customers anew."""

    def __init__(self) -> None:
        super().__init__(
            "What has changed since this position is no longer known. Begin again: ask without after, read all "
            "customers, then continue with the next position that you received."
        )


@dataclass(frozen=True)
class Position:
    """All changes up to and including this one were read."""

    token: str
    transaction: int
    change: int = 0
    place: int = 0

    @classmethod
    def from_text(cls, text: str) -> "Position":
        """Read what ``str`` made. Raises ``ValueError``."""
        found = POSITION.fullmatch(text)
        if found is None:
            raise ValueError(text)
        return cls(found[1], *(int(number) for number in found.groups()[1:]))

    def __str__(self) -> str:
        return f"{self.token}.{self.transaction}.{self.change}.{self.place}"


@dataclass(frozen=True)
class Changes:
    """Customers who have changed, and where to go on. ``waiting_since`` is the time of the oldest change that cannot be
    reported yet, since an older transaction is still open.
    """

    customer_ids: list[int]
    next: Position
    more: bool
    waiting_since: datetime | None


def read_changes(after: Position | None, limit: int) -> Changes:
    """At most ``limit`` changes after this position; without one, only the position of this moment.

    A customer who changed more than once is named once for each. Raises ``PositionGoneError``.
    """
    rows = read(after, limit + 1)
    if not rows:
        execute(BEGIN_EPOCH)
        rows = read(after, limit + 1)
    token, pruned_transaction, pruned_change, horizon, waiting_since = rows[0][:5]
    if after is not None and (
        after.token != token
        or after.transaction > horizon
        or (after.transaction, after.change) < (pruned_transaction, pruned_change)
    ):
        raise PositionGoneError
    told = [row[5:] for row in rows if row[5] is not None][:limit]
    more = len(rows) > limit
    # Before the horizon nothing can be added: a reader who has come so far is no longer bound to the last change.
    goes_on = Position(token, *told[-1][:3]) if more else Position(token, horizon)
    return Changes([row[3] for row in told], goes_on, more, waiting_since)


def read(after: Position | None, limit: int) -> list[tuple[Any, ...]]:
    """The rows of ``READ``: in each the epoch's columns, and those of one change."""
    start = after or Position("", 0)
    return fetch_rows(
        READ,
        {
            "transaction": start.transaction,
            "change": start.change,
            "place": start.place,
            "limit": limit,
            "is_asked": after is not None,
        },
    )
