"""Where stale customers may be: the only file that knows how they are found.

Not by an index on the customers, which every edit and every score would have to write, but by marks: triggers leave
them in the edit's own transaction, a drain takes them away in the one that stores the scores. A mark is a hint; whether
a customer is stale stands in its row. docs/decisions/0012-stale-marks.md has the designs that were measured.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Q

from customers.models import LARGEST_CUSTOMER_ID, ModelRelease, ScoringFailure, StaleMark
from customers.releases import NEWEST_RELEASE, hold_to
from customers.staleness import NOT_FAILED, OF_THIS_VERSION, STALE

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
WIDE_MARKS = 1000
# What a question names one by one: above that, stale customers are no needles in a haystack.
MOST_SPANS = 1000
MOST_FAILURES = 1000
WIDEST = 100_000

# Whether there may be a row to score: marks are there, or were lost in a crash of the database, or a failed customer is
# to be tried again, or somebody has asked for scores. Some 0.1 ms, whatever the number of customers.
LOOK = """
SELECT EXISTS (SELECT FROM customers_stalemark)
    OR pg_sequence_last_value('customers_stalemark_intact'::regclass) IS NULL
    OR EXISTS (SELECT FROM customers_scoringfailure WHERE retry_at <= clock_timestamp())
    OR EXISTS (SELECT FROM customers_rescorerequest)
"""

# After a crash: look at everybody once, then let the sequence say that nothing is lost. A sequence is not rolled back,
# so that it may move only when the mark is there for good.
MARK_ALL = f"""
INSERT INTO customers_stalemark (id, first_id, last_id)
VALUES (nextval('customers_stalemark_id_seq') + {REGION}, 1, {LARGEST_CUSTOMER_ID})
"""
NOTHING_IS_LOST = "SELECT nextval('customers_stalemark_intact')"
ALL_MARKS_ARE_LOST = "SELECT pg_sequence_last_value('customers_stalemark_intact'::regclass) IS NULL"

# Of customers who were deleted since, or go by another id now, and may have come back. When they are due they must not
# be so for ever. Looked at twice, locked in between: a customer may come back and fail after the first look.
OF_FORMER_LIFE = """NOT EXISTS (
    SELECT FROM customers_customer AS customer
    WHERE customer.customer_id = failure.customer_id AND customer.arrived_at = failure.arrived_at)"""
HOLD_FORMER_LIVES = f"""
SELECT customer_id FROM customers_scoringfailure AS failure
WHERE {OF_FORMER_LIFE} AND (NOT %s OR retry_at <= clock_timestamp()) FOR UPDATE SKIP LOCKED
"""
FORGET_FORMER_LIVES = f"""
DELETE FROM customers_scoringfailure AS failure WHERE customer_id = ANY (%s) AND {OF_FORMER_LIFE}
"""
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

# Marks of edits for so many rows, live ones first; the last mark of all, whether there are other kinds; and the active
# release. If this transaction has edited customers itself, its own marks are among those taken: it has to begin anew
# with them.
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
SELECT array_agg(first_id), array_agg(last_id), (SELECT max(id) FROM customers_stalemark), ({NEWEST_RELEASE}),
    set_config('vigilpay.marked', '', true)
FROM taken
"""

TAKE_OUTDATED = f"""
DELETE FROM customers_stalemark WHERE id = ANY (ARRAY(
    SELECT id FROM customers_stalemark WHERE id >= {OUTDATED_SLICE} AND id < {OUTDATED} ORDER BY id
    LIMIT (%(rows)s + {SLICE_ROWS - 1}) / {SLICE_ROWS} FOR UPDATE SKIP LOCKED
)) RETURNING first_id, last_id
"""

# All of a kind, but for what others hold: where several speak of the same customers, these are looked at once.
TAKE_WIDE = f"""
DELETE FROM customers_stalemark WHERE id = ANY (ARRAY(
    SELECT id FROM customers_stalemark WHERE id >= %(kind)s AND id < %(end)s ORDER BY id LIMIT {WIDE_MARKS}
    FOR UPDATE SKIP LOCKED
)) RETURNING first_id, last_id
"""

# How far one cut goes.
CUT_ENDS = f"""
SELECT customer_id FROM customers_customer
WHERE customer_id BETWEEN %(first)s AND %(last)s ORDER BY customer_id OFFSET {CUT_ROWS - 1} LIMIT 1
"""

CUT = f"""
WITH stale AS MATERIALIZED (
    SELECT customer_id, stale_since IS NOT NULL AS edited,
        (row_number() OVER (PARTITION BY stale_since IS NOT NULL ORDER BY customer_id) - 1) / {SLICE_ROWS} AS slice
    FROM customers_customer AS customer
    WHERE customer_id BETWEEN %(first)s AND %(last)s AND {STALE} AND {NOT_FAILED}
), marked AS (
    INSERT INTO customers_stalemark (id, first_id, last_id)
    SELECT nextval('customers_stalemark_id_seq') + CASE WHEN edited THEN {SLICE} ELSE {OUTDATED_SLICE} END,
        min(customer_id), max(customer_id)
    FROM stale GROUP BY edited, slice ORDER BY edited, slice
)
SELECT count(*) FROM stale
"""
MARK_REST = """
INSERT INTO customers_stalemark (id, first_id, last_id)
SELECT nextval('customers_stalemark_id_seq') + %(kind)s, first_id, last_id
FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) AS rest (first_id, last_id)
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
  AND NOT EXISTS (SELECT FROM customers_scoringfailure AS failure WHERE {OF_THIS_VERSION})
"""


@dataclass(frozen=True)
class Spans:
    """Ranges of ids, in order and apart from each other, first and last included."""

    firsts: list[int]
    lasts: list[int]

    @classmethod
    def of(cls, marks: Iterable[tuple[int, int]]) -> "Spans":
        """Marks as they were taken; what several of them say of one customer is said once."""
        spans = cls([], [])
        for first, last in sorted(marks):
            if spans.lasts and first <= spans.lasts[-1] + 1:
                spans.lasts[-1] = max(last, spans.lasts[-1])
            else:
                spans.firsts.append(first)
                spans.lasts.append(last)
        return spans

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.firsts, self.lasts, strict=True)

    def __len__(self) -> int:
        return len(self.firsts)

    def ids(self) -> int:
        """How many ids they cover."""
        return sum(last - first + 1 for first, last in self)


class Search:
    """One transaction's search for some ``limit`` stale customers: which marks to take away, and where they point.

    Raises ``ReleaseMovedOnError`` when ``release`` is not the active one: the transaction has to be rolled back.
    """

    def __init__(self, cursor: CursorWrapper, release: ModelRelease, limit: int) -> None:
        self._cursor = cursor
        self._release = release
        self._limit = limit
        # Whether it got on with wide marks: then there may be more behind them, even if it has found nobody.
        self.has_cut = False

    def take(self) -> Spans:
        """Single edits come first, but leave room: whoever waits behind them must come to an end, too."""
        marks, last_mark = self._edited()
        if len(marks) <= self._limit // 2 and last_mark >= REGION:
            marks += self._edited()[0] if self._cut(REGION, OUTDATED_SLICE) else self._outdated()
        return Spans.of(marks)

    def _edited(self) -> tuple[list[tuple[int, int]], int]:
        """The marks taken, and the last mark that there was."""
        self._cursor.execute(TAKE_EDITED, {"rows": self._limit})
        firsts, lasts, last_mark, newest_release, _own = self._cursor.fetchone()
        hold_to(self._release, newest_release)
        return list(zip(firsts or [], lasts or [], strict=True)), last_mark or 0

    def _outdated(self) -> list[tuple[int, int]]:
        """The marks taken of customers whom only a former model has scored.

        Some may be those of a release that came a moment ago: by ours nobody is outdated, and they would be lost.
        """
        while True:
            self._cursor.execute(TAKE_OUTDATED, {"rows": self._limit})
            marks: list[tuple[int, int]] = self._cursor.fetchall()
            if marks or not self._cut(OUTDATED, END):
                self._cursor.execute(NEWEST_RELEASE)
                hold_to(self._release, self._cursor.fetchone()[0])
                return marks

    def _cut(self, kind: int, end: int) -> bool:
        """Replace wide marks of this kind by slices, until those hold ``limit`` customers; False when there are none.

        A few pieces of the portfolio without anybody stale are enough for one transaction, too.
        """
        self._cursor.execute(TAKE_WIDE, {"kind": kind, "end": end})
        rest = list(reversed(list(Spans.of(self._cursor.fetchall()))))
        found = seen = 0
        while rest and found < self._limit and seen < CUTS_IN_VAIN * CUT_ROWS:
            first, last = rest.pop()
            ends = self._end_of_cut(first, last)
            if ends < last:
                rest.append((ends + 1, last))
            self._cursor.execute(CUT, {"first": first, "last": ends, "release": self._release.pk})
            found += self._cursor.fetchone()[0]
            seen += min(ends - first + 1, CUT_ROWS)
            self.has_cut = True
        if rest:
            left = Spans.of(rest)
            self._cursor.execute(MARK_REST, {"kind": kind, "firsts": left.firsts, "lasts": left.lasts})
        return found > 0

    def _end_of_cut(self, first: int, last: int) -> int:
        self._cursor.execute(CUT_ENDS, {"first": first, "last": last})
        row = self._cursor.fetchone()
        return int(row[0]) if row else last


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
        forget_former_lives(cursor, due_only=True)
        cursor.execute(MARK_DUE_FAILURES)
        return int(cursor.rowcount)


def forget_former_lives(cursor: CursorWrapper, *, due_only: bool = False) -> int:
    """Forget the failures of customers who are gone, or came back since; how many there were."""
    with transaction.atomic():
        cursor.execute(HOLD_FORMER_LIVES, [due_only])
        cursor.execute(FORGET_FORMER_LIVES, [[row[0] for row in cursor.fetchall()]])
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


def where_stale_ones_are() -> Q:
    """A condition that all stale customers fulfil and, where there are few, hardly anybody else: to look for them in
    the whole portfolio without an index. Of the customers whom it finds some may be current."""
    with connection.cursor() as cursor:
        cursor.execute(ALL_MARKS_ARE_LOST)
        if cursor.fetchone()[0]:
            return Q()
    spans = list(StaleMark.objects.values_list("first_id", "last_id")[: MOST_SPANS + 1])
    failed = list(ScoringFailure.objects.values_list("customer_id", flat=True)[: MOST_FAILURES + 1])
    wide = joined([span for span in spans if span[0] < span[1]])
    if len(spans) > MOST_SPANS or len(failed) > MOST_FAILURES or sum(last - first for first, last in wide) > WIDEST:
        return Q()
    found = Q(customer_id__in=[*failed, *(first for first, last in spans if first == last)])
    for span in wide:
        found |= Q(customer_id__range=span)
    return found


def joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ids, and some between them, in few spans."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + CUT_ROWS:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found
