"""Stale customers: where there may be some, and taking hold of them. The only file that knows how they are found.

Not by an index on the customers, which every edit and every score would have to write, but by marks: triggers leave
them in the edit's own transaction, a drain takes them away in the one that stores the scores. A mark is a hint; whether
a customer is stale stands in its row. docs/decisions/0012-stale-marks.md has the designs that were measured.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from psycopg.errors import LockNotAvailable

from customers.ml_service.schema import FEATURES
from customers.models import LARGEST_CUSTOMER_ID, Customer, ModelRelease

# The kinds of marks, each a number that is added to the mark's own: so they are taken in this order.
LIVE = 0 << 60  # one customer, somebody waits for it
SLICE = 1 << 60  # at most SLICE_ROWS edited customers, counted when it was cut from a region
REGION = 2 << 60  # some customers between two ids, from one large edit
OUTDATED_SLICE = 3 << 60  # a slice of customers whom only a former model has scored
OUTDATED = 4 << 60  # the whole portfolio, after a release
END = 5 << 60

SLICE_ROWS = 64
# A wide mark is cut so many customers at a time: some 10 ms, which a live edit may have to wait.
CUT_ROWS = 8192
CUTS_IN_VAIN = 4

# Whether there may be a row to score: marks are there, or were lost in a crash of the database, or a failed customer is
# to be tried again. Some 0.1 ms, whatever the number of customers.
LOOK = """
SELECT EXISTS (SELECT FROM customers_stalemark)
    OR pg_sequence_last_value('customers_stalemark_intact'::regclass) IS NULL
    OR EXISTS (SELECT FROM customers_scoringfailure WHERE retry_at <= clock_timestamp())
"""

# After a crash: look at everybody once, then let the sequence say that nothing is lost. A sequence is not rolled back,
# so that it may move only when the mark is there for good.
MARK_ALL = f"""
INSERT INTO customers_stalemark (id, first_id, last_id)
VALUES (nextval('customers_stalemark_id_seq') + {REGION}, 1, {LARGEST_CUSTOMER_ID})
"""
NOTHING_IS_LOST = "SELECT nextval('customers_stalemark_intact')"
ALL_MARKS_ARE_LOST = "SELECT pg_sequence_last_value('customers_stalemark_intact'::regclass) IS NULL"

# Of customers who were deleted since, or go by another id now. When they are due they must not be so for ever.
FORGET_GONE = """
DELETE FROM customers_scoringfailure AS failure
WHERE NOT EXISTS (SELECT FROM customers_customer AS customer WHERE customer.customer_id = failure.customer_id)
"""
FORGET_GONE_WHEN_DUE = f"{FORGET_GONE} AND retry_at <= clock_timestamp()"
MARK_DUE_FAILURES = f"""
INSERT INTO customers_stalemark (id, first_id, last_id)
SELECT nextval('customers_stalemark_id_seq') + {LIVE}, customer_id, customer_id
FROM customers_scoringfailure WHERE retry_at <= clock_timestamp()
"""

MARK_THESE = f"""
INSERT INTO customers_stalemark (id, first_id, last_id)
SELECT nextval('customers_stalemark_id_seq') + {LIVE}, customer_id, customer_id
FROM unnest(%s::bigint[]) AS these (customer_id)
"""

# Marks of edits for so many rows, live ones first, and the last mark of all: whether there are other kinds. If this
# transaction has edited customers itself, its own marks are among those taken: it has to begin anew with them.
TAKE_EDITED = f"""
WITH live AS MATERIALIZED (
    SELECT id FROM customers_stalemark WHERE id < {SLICE} ORDER BY id LIMIT %(rows)s FOR UPDATE SKIP LOCKED
), slices AS MATERIALIZED (
    SELECT id FROM customers_stalemark WHERE id >= {SLICE} AND id < {REGION} ORDER BY id
    LIMIT (%(rows)s - (SELECT count(*) FROM live) + {SLICE_ROWS - 1}) / {SLICE_ROWS} FOR UPDATE SKIP LOCKED
), taken AS (
    DELETE FROM customers_stalemark WHERE id = ANY (ARRAY(SELECT id FROM live UNION ALL SELECT id FROM slices))
    RETURNING first_id, last_id
)
SELECT array_agg(first_id), array_agg(last_id), (SELECT max(id) FROM customers_stalemark),
    set_config('vigilpay.marked', '', true)
FROM taken
"""

TAKE_OUTDATED = f"""
WITH slices AS MATERIALIZED (
    SELECT id FROM customers_stalemark WHERE id >= {OUTDATED_SLICE} AND id < {OUTDATED} ORDER BY id
    LIMIT (%(rows)s + {SLICE_ROWS - 1}) / {SLICE_ROWS} FOR UPDATE SKIP LOCKED
), taken AS (
    DELETE FROM customers_stalemark WHERE id = ANY (ARRAY(SELECT id FROM slices)) RETURNING first_id, last_id
)
SELECT array_agg(first_id), array_agg(last_id) FROM taken
"""

# How far one cut goes, and what is left of the mark then.
CUT_ENDS = f"""
SELECT customer_id FROM customers_customer
WHERE customer_id BETWEEN %(first)s AND %(last)s ORDER BY customer_id OFFSET {CUT_ROWS - 1} LIMIT 1
"""
MARK_REST = """
INSERT INTO customers_stalemark (id, first_id, last_id)
VALUES (nextval('customers_stalemark_id_seq') + %(kind)s, %(next)s, %(last)s)
"""

TAKE_WIDE = """
DELETE FROM customers_stalemark WHERE id = (
    SELECT id FROM customers_stalemark WHERE id >= %s AND id < %s ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING first_id, last_id
"""

# What is stale by the fields of its own row: edited since, or scored by another model than the active one, whichever
# came first. And who is set aside, or not due yet: nothing has changed since.
STALE = "(customer.stale_since IS NOT NULL OR customer.scored_by_id <> %(release)s)"
NOT_FAILED = """NOT EXISTS (
    SELECT FROM customers_scoringfailure AS failure
    WHERE failure.customer_id = customer.customer_id AND failure.version = customer.version
      AND failure.release_id = %(release)s AND (failure.retry_at IS NULL OR failure.retry_at > clock_timestamp()))"""

CUT = f"""
INSERT INTO customers_stalemark (id, first_id, last_id)
SELECT nextval('customers_stalemark_id_seq') + CASE WHEN edited THEN {SLICE} ELSE {OUTDATED_SLICE} END,
    min(customer_id), max(customer_id)
FROM (
    SELECT customer_id, stale_since IS NOT NULL AS edited,
        (row_number() OVER (PARTITION BY stale_since IS NOT NULL ORDER BY customer_id) - 1) / {SLICE_ROWS} AS slice
    FROM customers_customer AS customer
    WHERE customer_id BETWEEN %(first)s AND %(last)s AND {STALE} AND {NOT_FAILED}
) AS stale
GROUP BY edited, slice
ORDER BY edited, slice
"""

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

CLAIM_ONE = f"SELECT {CLAIMED} FROM customers_customer WHERE customer_id = %s FOR NO KEY UPDATE"

# Nobody where all marks were lost in a crash, for the next drain will notice that; nor those whom the model failed to
# score. A range that ends with the largest bigint has no end: one past it would be no bigint.
COUNT_UNMARKED = f"""
SELECT count(*)
FROM customers_customer AS customer, (
    SELECT COALESCE(range_agg(int8range(first_id, NULLIF(last_id, {LARGEST_CUSTOMER_ID}), '[]')), '{{}}') AS ids
    FROM customers_stalemark
) AS marked
WHERE {STALE} AND NOT customer_id <@ marked.ids
  AND pg_sequence_last_value('customers_stalemark_intact'::regclass) IS NOT NULL
  AND NOT EXISTS (SELECT FROM customers_scoringfailure AS failure
                  WHERE failure.customer_id = customer.customer_id AND failure.version = customer.version)
"""

# What a claim passed over since somebody else holds it, or what it could not store, is marked again.
MARK_PASSED_OVER = f"""
INSERT INTO customers_stalemark (id, first_id, last_id)
SELECT nextval('customers_stalemark_id_seq') + {LIVE}, passed.customer_id, passed.customer_id
FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) AS mark (first_id, last_id), LATERAL (
    SELECT customer_id FROM customers_customer AS customer
    WHERE customer_id BETWEEN mark.first_id AND mark.last_id AND {STALE} AND {NOT_FAILED}
      AND customer_id <> ALL (%(claimed)s::bigint[])
) AS passed
"""


class CustomerBusyError(Exception):
    """Somebody else's open edit holds the row; nothing was written. Trying again later helps."""


@dataclass(frozen=True)
class Claim:
    """Rows locked by this transaction, as read: parallel columns, the features of a row in ``FEATURES`` order."""

    ids: list[int]
    versions: list[int]
    features: list[tuple[Any, ...]]
    passed_over: int = 0  # rows that somebody else holds; they are marked again

    @classmethod
    def of(cls, rows: Sequence[tuple[Any, ...]], passed_over: int = 0) -> "Claim":
        return cls(
            ids=[row[0] for row in rows],
            versions=[row[1] for row in rows],
            features=[row[2:] for row in rows],
            passed_over=passed_over,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, positions: Sequence[int]) -> "Claim":
        """The rows at these positions."""
        return Claim(
            ids=[self.ids[i] for i in positions],
            versions=[self.versions[i] for i in positions],
            features=[self.features[i] for i in positions],
            passed_over=self.passed_over,
        )


@dataclass(frozen=True)
class Spans:
    """Ranges of ids, in order and apart from each other, first and last included."""

    firsts: list[int]
    lasts: list[int]

    @classmethod
    def of(cls, firsts: Iterable[int], lasts: Iterable[int]) -> "Spans":
        """Marks as they were taken; what several of them say of one customer is said once."""
        spans = cls([], [])
        for first, last in sorted(zip(firsts, lasts, strict=True)):
            if spans.lasts and first <= spans.lasts[-1] + 1:
                spans.lasts[-1] = max(last, spans.lasts[-1])
            else:
                spans.firsts.append(first)
                spans.lasts.append(last)
        return spans

    def ids(self) -> int:
        """How many ids they cover."""
        return sum(last - first + 1 for first, last in zip(self.firsts, self.lasts, strict=True))


def claim_stale(cursor: CursorWrapper, release: ModelRelease, limit: int) -> Claim:
    """Lock some ``limit`` stale rows that nobody else holds: single edits, then large ones, then a former model's.

    Takes their marks away, so call it in the transaction that stores the scores. Customers whom this model could not
    score, in the version they have, are left out until they are due again.
    """
    spans = take_marks(cursor, release, limit)
    if not spans.firsts:
        return Claim.of([])
    where: dict[str, Any] = {"firsts": spans.firsts, "lasts": spans.lasts, "release": release.pk}
    cursor.execute(CLAIM, where)
    rows = cursor.fetchall()
    if len(rows) == spans.ids():
        return Claim.of(rows)
    cursor.execute(MARK_PASSED_OVER, {**where, "claimed": [row[0] for row in rows]})
    return Claim.of(rows, passed_over=cursor.rowcount)


def take_marks(cursor: CursorWrapper, release: ModelRelease, limit: int) -> Spans:
    """Delete marks for some ``limit`` customers and return where they pointed.

    Single edits come first, but leave room: whoever waits behind them must come to an end, too.
    """
    firsts, lasts, last_mark = take_edited(cursor, limit)
    if len(firsts) <= limit // 2 and last_mark >= REGION:
        if cut(cursor, release, REGION, OUTDATED_SLICE, limit):
            further = take_edited(cursor, limit)[:2]
        else:
            further = take_outdated(cursor, release, limit)
        firsts, lasts = firsts + further[0], lasts + further[1]
    return Spans.of(firsts, lasts)


def take_edited(cursor: CursorWrapper, limit: int) -> tuple[list[int], list[int], int]:
    """First and last ids of the marks taken, and the last mark that there was."""
    cursor.execute(TAKE_EDITED, {"rows": limit})
    firsts, lasts, last_mark, _own = cursor.fetchone()
    return firsts or [], lasts or [], last_mark or 0


def take_outdated(cursor: CursorWrapper, release: ModelRelease, limit: int) -> tuple[list[int], list[int]]:
    """As ``take_edited``, of customers whom only a former model has scored."""
    while True:
        cursor.execute(TAKE_OUTDATED, {"rows": limit})
        firsts, lasts = cursor.fetchone()
        if firsts or not cut(cursor, release, OUTDATED, END, limit):
            return firsts or [], lasts or []


def cut(cursor: CursorWrapper, release: ModelRelease, kind: int, end: int, limit: int) -> bool:
    """Replace wide marks of this kind by slices, until those hold ``limit`` customers; False when there are none.

    A few pieces of the portfolio without anybody stale are enough for one transaction, too.
    """
    slices = in_vain = 0
    while slices * SLICE_ROWS < limit and in_vain < CUTS_IN_VAIN:
        cursor.execute(TAKE_WIDE, [kind, end])
        wide = cursor.fetchone()
        if wide is None:
            break
        found = cut_one(cursor, release, kind, *wide)
        slices += found
        in_vain += not found
    return slices > 0


def cut_one(cursor: CursorWrapper, release: ModelRelease, kind: int, first: int, last: int) -> int:
    """Mark the slices of a wide mark, and anew what is more than one cut; the number of slices."""
    cursor.execute(CUT_ENDS, {"first": first, "last": last})
    ends = cursor.fetchone()
    if ends is not None and ends[0] < last:
        cursor.execute(MARK_REST, {"kind": kind, "next": ends[0] + 1, "last": last})
        last = ends[0]
    cursor.execute(CUT, {"first": first, "last": last, "release": release.pk})
    slices: int = cursor.rowcount
    return slices


def restore_marks() -> int:
    """Mark what no edit will mark: everybody after a crash of the database, and failed customers who are due again.

    Returns the number of marks made.
    """
    with connection.cursor() as cursor:
        cursor.execute(ALL_MARKS_ARE_LOST)
        if cursor.fetchone()[0]:
            mark_all()
            cursor.execute(NOTHING_IS_LOST)
            return 1
        cursor.execute(FORGET_GONE_WHEN_DUE)
        cursor.execute(MARK_DUE_FAILURES)
        return int(cursor.rowcount)


def mark(customer_ids: Sequence[int]) -> None:
    """Have these customers looked at."""
    with connection.cursor() as cursor:
        cursor.execute(MARK_THESE, [list(customer_ids)])


def count_unmarked(release: ModelRelease) -> int:
    """How many stale customers no mark covers, so that no drain will find them for an hour."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_UNMARKED, {"release": release.pk})
        return int(cursor.fetchone()[0])


def mark_all() -> None:
    """Have every customer looked at: the net below all marks."""
    with connection.cursor() as cursor:
        cursor.execute(MARK_ALL)


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
