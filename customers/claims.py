"""Taking hold of customers whose score is to be renewed: rows locked until the scores are stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from psycopg.errors import LockNotAvailable

from customers.marks import MARK_PASSED_OVER, Search
from customers.ml_service.schema import FEATURES
from customers.models import Customer, ModelRelease, ScoreRecord
from customers.staleness import NOT_FAILED, STALE

# The columns of a Claim.
CLAIMED = f"customer_id, version, {', '.join(FEATURES)}"

# The locking clause keeps the inner query whole: PostgreSQL looks up each mark's ids by the key.
CLAIM = f"""
SELECT claimed.* FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) AS mark (first_id, last_id), LATERAL (
    SELECT {CLAIMED} FROM customers_customer AS customer
    WHERE customer_id BETWEEN mark.first_id AND mark.last_id AND {STALE} AND {NOT_FAILED}
    FOR NO KEY UPDATE OF customer SKIP LOCKED
) AS claimed
"""

# What staff have asked for, first come, first served. What somebody holds at this moment is asked for again.
TAKE_REQUESTED = """
DELETE FROM customers_rescorerequest WHERE id = (
    SELECT id FROM customers_rescorerequest ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING customer_ids
"""
CLAIM_THESE = f"""
SELECT {CLAIMED} FROM customers_customer AS customer
WHERE customer_id = ANY (%(ids)s::bigint[]) AND {NOT_FAILED} FOR NO KEY UPDATE OF customer SKIP LOCKED
"""
REQUEST_PASSED_OVER = f"""
INSERT INTO customers_rescorerequest (customer_ids)
SELECT array_agg(customer_id ORDER BY customer_id) FROM customers_customer AS customer
WHERE customer_id = ANY (%(ids)s::bigint[]) AND {NOT_FAILED} AND customer_id <> ALL (%(claimed)s::bigint[])
HAVING count(*) > 0 RETURNING cardinality(customer_ids)
"""

CLAIM_ONE = f"SELECT {CLAIMED} FROM customers_customer WHERE customer_id = %s FOR NO KEY UPDATE"


class CustomerBusyError(Exception):
    """Somebody else's open edit holds the row; nothing was written. Trying again later helps."""


@dataclass(frozen=True)
class Claim:
    """Rows locked by this transaction, as read: parallel columns, the features of a row in ``FEATURES`` order."""

    ids: list[int]
    versions: list[int]
    features: list[tuple[Any, ...]]
    passed_over: int = 0  # rows that somebody else holds; they are marked again
    has_cut: bool = False  # wide marks, so that there may be more to claim, even if these are no rows
    cause: str = ""  # of the scores, where the rows themselves do not tell it

    @classmethod
    def of(cls, rows: Sequence[tuple[Any, ...]], passed_over: int = 0, *, has_cut: bool = False) -> "Claim":
        return cls(
            ids=[row[0] for row in rows],
            versions=[row[1] for row in rows],
            features=[row[2:] for row in rows],
            passed_over=passed_over,
            has_cut=has_cut,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, positions: Sequence[int]) -> "Claim":
        """The rows at these positions."""
        return replace(
            self,
            ids=[self.ids[i] for i in positions],
            versions=[self.versions[i] for i in positions],
            features=[self.features[i] for i in positions],
        )


def claim_stale(cursor: CursorWrapper, release: ModelRelease, limit: int) -> Claim:
    """Lock some ``limit`` stale rows that nobody else holds: single edits, then large ones, then a former model's.

    Takes their marks away, so call it in the transaction that stores the scores. Customers whom this model could not
    score, in the version they have, are left out until they are due again.
    """
    search = Search(cursor, release, limit)
    spans = search.take()
    if not spans:
        return Claim.of([], has_cut=search.has_cut)
    where: dict[str, Any] = {"firsts": spans.firsts, "lasts": spans.lasts, "release": release.pk}
    cursor.execute(CLAIM, where)
    rows, passed_over = cursor.fetchall(), 0
    if len(rows) < spans.ids():
        cursor.execute(MARK_PASSED_OVER, {**where, "claimed": [row[0] for row in rows]})
        passed_over = cursor.rowcount
    return Claim.of(rows, passed_over, has_cut=search.has_cut)


def claim_requested(cursor: CursorWrapper, release: ModelRelease) -> Claim:
    """Lock customers of the oldest request of staff, stale or not, but for those set aside; nobody without a request.

    Takes the request away, so call it in the transaction that stores the scores.
    """
    cursor.execute(TAKE_REQUESTED)
    request = cursor.fetchone()
    if request is None:
        return Claim.of([])
    where: dict[str, Any] = {"ids": request[0], "release": release.pk}
    cursor.execute(CLAIM_THESE, where)
    rows, passed_over = cursor.fetchall(), 0
    if len(rows) < len(request[0]):
        cursor.execute(REQUEST_PASSED_OVER, {**where, "claimed": [row[0] for row in rows]})
        again = cursor.fetchone()
        passed_over = again[0] if again else 0
    return replace(Claim.of(rows, passed_over), cause=ScoreRecord.Cause.ANALYZE)


def claim_one(cursor: CursorWrapper, customer_id: int) -> Claim:
    """Lock one customer, stale or not, waiting a bounded time for somebody else's open edit of it.

    Raises ``CustomerBusyError`` when that time is up, ``Customer.DoesNotExist`` when there is no such row.
    """
    patience_ms = max(1, round(settings.ANALYZE_LOCK_SECONDS * 1000))  # 0 would be PostgreSQL's word for "for ever"
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{patience_ms}ms"])
    # Twice: the row that was waited for may have been replaced meanwhile, by one that only a new look can see.
    rows = lock_one(cursor, customer_id) or lock_one(cursor, customer_id)
    cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    if not rows:
        raise Customer.DoesNotExist(f"There is no customer {customer_id}.")
    return Claim.of(rows)


def lock_one(cursor: CursorWrapper, customer_id: int) -> list[tuple[Any, ...]]:
    """The columns of a claim. Raises ``CustomerBusyError`` when the lock_timeout is up."""
    try:
        cursor.execute(CLAIM_ONE, [customer_id])
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise CustomerBusyError("Another session is editing this customer; nothing was written.") from error
        raise
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
