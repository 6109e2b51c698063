"""Stale customers: whether there are any, and taking hold of them. The only file that knows how they are found."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from psycopg.errors import LockNotAvailable

from customers.ml_service.schema import FEATURES
from customers.models import Customer, ModelRelease

# min() and not EXISTS: the planner takes a third of the table for outdated and would read all of it to find none.
LOOK = """
SELECT EXISTS (SELECT FROM customers_customer WHERE stale_since IS NOT NULL)
    OR COALESCE((SELECT min(scored_by_id) FROM customers_customer)
              < (SELECT max(id) FROM customers_modelrelease), false)
"""

CLAIMED = f"customer_id, version, stale_since, churn_risk_score, {', '.join(FEATURES)}"  # the columns of a Claim

CLAIM_EDITED = f"""
SELECT {CLAIMED} FROM customers_customer
WHERE stale_since IS NOT NULL AND customer_id || '@' || version <> ALL(%s) ORDER BY stale_since
LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""

# Rows that only a former model scored: after the edits, which people are waiting for.
CLAIM_OUTDATED = f"""
SELECT {CLAIMED} FROM customers_customer
WHERE stale_since IS NULL AND customer_id || '@' || version <> ALL(%s) AND scored_by_id < %s ORDER BY scored_by_id
LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""

CLAIM_ONE = f"SELECT {CLAIMED} FROM customers_customer WHERE customer_id = %s FOR NO KEY UPDATE"


class CustomerBusyError(Exception):
    """Somebody else's open edit holds the row; nothing was written. Trying again later helps."""


@dataclass(frozen=True)
class Claim:
    """Rows locked by this transaction, as read: parallel columns, the features of a row in ``FEATURES`` order."""

    ids: list[int]
    versions: list[int]
    since: list[datetime | None]
    previous: list[float | None]
    features: list[tuple[Any, ...]]

    @classmethod
    def of(cls, rows: Sequence[tuple[Any, ...]]) -> "Claim":
        return cls(
            ids=[row[0] for row in rows],
            versions=[row[1] for row in rows],
            since=[row[2] for row in rows],
            previous=[row[3] for row in rows],
            features=[row[4:] for row in rows],
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def states(self) -> frozenset[str]:
        """Which customers in which version, as ``claim_stale`` takes them."""
        return frozenset(f"{row}@{version}" for row, version in zip(self.ids, self.versions, strict=True))

    def only(self, positions: Sequence[int]) -> "Claim":
        """The rows at these positions."""
        return Claim(
            ids=[self.ids[i] for i in positions],
            versions=[self.versions[i] for i in positions],
            since=[self.since[i] for i in positions],
            previous=[self.previous[i] for i in positions],
            features=[self.features[i] for i in positions],
        )


def anything_stale() -> bool:
    """Whether there is a row to score; some 0.1 ms, whatever the number of customers."""
    with connection.cursor() as cursor:
        cursor.execute(LOOK)
        return bool(cursor.fetchone()[0])


def claim_stale(cursor: CursorWrapper, release: ModelRelease, limit: int, passing_over: Collection[str] = ()) -> Claim:
    """Lock up to ``limit`` stale rows that nobody else holds: edited ones, and only when there are none, outdated.

    ``passing_over`` holds states (``Claim.states``) of customers to leave alone until they change.
    """
    cursor.execute(CLAIM_EDITED, [list(passing_over), limit])
    rows = cursor.fetchall()
    if not rows:
        cursor.execute(CLAIM_OUTDATED, [list(passing_over), release.pk, limit])
        rows = cursor.fetchall()
    return Claim.of(rows)


def claim_one(cursor: CursorWrapper, customer_id: int) -> Claim:
    """Lock one customer, stale or not, waiting a bounded time for somebody else's open edit of it.

    Raises ``CustomerBusyError`` when that time is up, ``Customer.DoesNotExist`` when there is no such row.
    """
    patience_ms = max(1, round(settings.ANALYZE_LOCK_SECONDS * 1000))  # 0 would be PostgreSQL's word for "for ever"
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{patience_ms}ms"])
    try:
        cursor.execute(CLAIM_ONE, [customer_id])
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise CustomerBusyError("Somebody is editing this customer at this moment; nothing was written.") from error
        raise
    rows = cursor.fetchall()
    cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    if not rows:
        raise Customer.DoesNotExist(f"There is no customer {customer_id}.")
    return Claim.of(rows)
