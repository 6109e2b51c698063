"""Taking hold of customers whose score is to be renewed: rows locked until the scores are stored."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from psycopg.errors import LockNotAvailable

from customers.ml_service.schema import FEATURES
from customers.models import Customer, ModelRelease
from customers.scoring.marks import RESTED, pass_over, take
from customers.scoring.staleness import NOT_EXCLUDED, STALE

# The columns of a Claim.
CLAIMED = f"customer_id, version, {', '.join(FEATURES)}"

# Which customers in which versions, where no values are needed.
KEYS = "customer_id, version"

_CLAIM = f"""
SELECT {{columns}} FROM customers_customer AS customer
WHERE customer_id = ANY (%(ids)s::bigint[]) AND {NOT_EXCLUDED}
    AND (customer_id = ANY (%(requested)s::bigint[])
        OR {STALE} AND (customer_id <> ALL (%(resting)s::bigint[]) OR {RESTED}))
FOR NO KEY UPDATE OF customer SKIP LOCKED
"""
CLAIM, CLAIM_KEYS = _CLAIM.format(columns=CLAIMED), _CLAIM.format(columns=KEYS)
READ_CLAIMED = f"SELECT {CLAIMED} FROM customers_customer WHERE customer_id = ANY (%s::bigint[])"

CLAIM_FREE = f"""
SELECT {CLAIMED} FROM customers_customer WHERE customer_id = ANY (%s::bigint[]) AND objected_at IS NULL
ORDER BY customer_id FOR NO KEY UPDATE SKIP LOCKED
"""

CLAIM_ONE = f"SELECT {CLAIMED}, objected_at FROM customers_customer WHERE customer_id = %s FOR NO KEY UPDATE"


class CustomerBusyError(Exception):
    """An open edit of another session holds the row; nothing was written. Trying again later helps."""


class CustomerObjectedError(Exception):
    """The customer has objected to being scored: no score may be made, let alone stored."""

    def __init__(self, customer_id: int) -> None:
        super().__init__(
            f"Customer {customer_id} has objected to profiling (GDPR, Article 21): no score is made while the "
            "objection stands."
        )


@dataclass(frozen=True)
class Claim:
    """Rows locked by this transaction, as read: parallel columns, the features of a row in ``FEATURES`` order."""

    ids: list[int]
    versions: list[int]
    features: list[tuple[Any, ...]]
    passed_over: int = 0  # rows that another transaction holds, or edited a moment ago; they are marked again
    sweep_is_due: bool = False  # there may be more to claim, even if these are no rows
    requested: list[int] = field(default_factory=list)  # by staff, among others

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[Any, ...]], **more: Any) -> "Claim":
        return cls(
            ids=[row[0] for row in rows],
            versions=[row[1] for row in rows],
            features=[row[2:] for row in rows],
            **more,
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

    def without(self, ids: Collection[int]) -> "Claim":
        """The rows of all other customers."""
        return self.only([i for i, it in enumerate(self.ids) if it not in ids]) if ids else self


def claim_next(cursor: CursorWrapper, release: ModelRelease, limit: int, *, statement: str = CLAIM) -> Claim:
    """Lock some ``limit`` rows that no other transaction holds: stale ones, and those that staff have asked for.

    Takes their marks away, so call it in the transaction that stores the scores. Those excluded from scoring are left
    out: customers who have objected, and those whom this model could not score in the version they have, until they are
    due again. With ``CLAIM_KEYS`` as its ``statement`` the claim has no values; ``with_values`` reads them.
    """
    taken = take(cursor, release, limit)
    ids, requested = taken.ids, sorted(taken.requested)
    if not ids:
        return Claim.from_rows([], sweep_is_due=taken.sweep_is_due)
    cursor.execute(
        statement,
        {"ids": sorted(ids), "requested": requested, "resting": list(taken.resting), "release": release.pk},
    )
    rows, passed_over = cursor.fetchall(), 0
    if len(rows) < len(ids):
        passed_over = pass_over(cursor, release, ids - {row[0] for row in rows}, taken)
    return Claim.from_rows(rows, passed_over=passed_over, sweep_is_due=taken.sweep_is_due, requested=requested)


def with_values(cursor: CursorWrapper, claim: Claim) -> Claim:
    """The values of rows that this transaction has locked."""
    if not len(claim):
        return claim
    cursor.execute(READ_CLAIMED, [claim.ids])
    found = Claim.from_rows(cursor.fetchall())
    return replace(claim, ids=found.ids, versions=found.versions, features=found.features)


def claim_free(cursor: CursorWrapper, ids: Sequence[int]) -> Claim:
    """Lock those of these customers, stale or not, whom no other session holds; waits for none."""
    cursor.execute(CLAIM_FREE, [list(ids)])
    return Claim.from_rows(cursor.fetchall())


def claim_one(cursor: CursorWrapper, customer_id: int, seconds: float | None = None) -> Claim:
    """Lock one customer, stale or not, as ``hold_one``. Raises ``CustomerObjectedError`` too."""
    *row, objected_at = hold_one(cursor, customer_id, seconds)
    if objected_at is not None:
        raise CustomerObjectedError(customer_id)
    return Claim.from_rows([tuple(row)])


LOOKS = 3


def hold_one(cursor: CursorWrapper, customer_id: int, seconds: float | None = None) -> tuple[Any, ...]:
    """Lock one customer; the columns of a claim, and of the objection. An open edit is waited for so many seconds,
    or else as long as the settings say.

    Raises ``CustomerBusyError`` when that time is up, ``Customer.DoesNotExist`` when there is no such row.
    """
    patience = settings.ANALYZE_LOCK_SECONDS if seconds is None else seconds
    patience_ms = max(1, round(patience * 1000))  # 0 would mean for ever
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{patience_ms}ms"])
    # The row that was waited for may have been replaced meanwhile, by one that only a new look can see; and again.
    rows = next(filter(None, (lock_one(cursor, customer_id) for _look in range(LOOKS))), [])
    cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    if not rows:
        raise Customer.DoesNotExist(f"There is no customer {customer_id}.")
    return rows[0]


def lock_one(cursor: CursorWrapper, customer_id: int) -> list[tuple[Any, ...]]:
    """The columns of ``CLAIM_ONE``. Raises ``CustomerBusyError`` when the lock_timeout is up."""
    try:
        cursor.execute(CLAIM_ONE, [customer_id])
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise CustomerBusyError("Another session is editing this customer; nothing was written.") from error
        raise
    return list(cursor.fetchall())
