"""Where stale customers may be, and how a drain finds them.

Not by an index on the customers, which every edit and every score would have to write, but by marks: arrays of ids that
triggers leave in the edit's own transaction, and that a drain takes away in the one that stores the scores. A mark is a
hint; whether a customer is stale stands in its row. docs/decisions/0026-marks-are-arrays.md has what was measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from django.db import transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Q
from django.db.models.functions import Now

from customers.models import ModelRelease, ScoringFailure, is_stale
from customers.releases.active import NEWEST_RELEASE, hold_to
from customers.scoring.staleness import NOT_EXCLUDED, OF_THIS_VERSION, STALE
from customers.sql import execute, fetch_row, fetch_rows

# The kinds of marks, in the order in which they are taken.
LIVE = 0  # one customer, whose editor waits for the score
LATER = 1  # one customer, of a transaction that edits many one by one
LARGE = 2  # customers of one large edit
REQUEST = 3  # customers whom staff have asked for: in a table of their own, which a crash does not empty
PASSED = 4  # customers whose rows another transaction held when they were claimed
RESTING = 5  # customers edited by a transaction that goes by one snapshot: left alone until its next edit may have come
FOUND = 6  # customers whom a sweep found stale: mostly those of a former model
SWEEP = 7  # no customers, but the id from which all are still to be looked at
# Says that no mark was lost: it goes when the table is emptied, by a crash or a promotion of PostgreSQL, by TRUNCATE or
# by a restore without these rows. It names the file of the customers, which a restore makes anew.
INTACT = 8

ARRAY_IDS = 200  # in one mark: a row that PostgreSQL stores without compressing it
SWEEP_ROWS = 8192  # customers in one step of a sweep: some 10 ms, which a live edit may have to wait
# How long a held row is left alone: its editor's commit leaves a mark of its own.
HELD_PAUSE = "interval '250 ms'"
# A transaction at REPEATABLE READ can't edit a row that was scored since it began. So a customer whom such a
# transaction has edited is scored when no edit has come for so long; where they do not end, at last all the same.
SNAPSHOT_PAUSE = "interval '1 s'"
LONGEST_PAUSE = "interval '5 s'"
RESTED = f"""(GREATEST(customer.stale_since, customer.edited_at) < clock_timestamp() - {SNAPSHOT_PAUSE}
    OR customer.stale_since < clock_timestamp() - {LONGEST_PAUSE} OR customer.stale_since IS NULL)"""
# However many live edits there are, so great a share of a batch is left to one other kind; the kind that comes first
# has it three times out of four.
SHARE, TURNS = 8, 4
_turn = count()

# What the list of stale customers names one by one: where there are more, reading all customers is as fast.
MOST_MARKED = 1000
MOST_FAILURES = 1000

# A time further ahead than a pause was written before the clock was set back.
DUE = f"{{}} NOT BETWEEN clock_timestamp() AND clock_timestamp() + {SNAPSHOT_PAUSE}"
MARK_IS_DUE, REQUEST_IS_DUE = DUE.format("due_at"), DUE.format("asked_at")

FILE = "ARRAY[pg_relation_filenode('customers_customer')::bigint]"
IS_INTACT = f"EXISTS (SELECT FROM customers_stalemark WHERE kind = {INTACT} AND ids = {FILE})"

# Whether there may be a row to score: marks are there, or were lost, or a failed customer is to be tried again, or
# staff have asked for scores. Some 0.1 ms, whatever the number of customers.
LOOK = f"""
SELECT EXISTS (SELECT FROM customers_stalemark WHERE kind < {INTACT} AND {MARK_IS_DUE})
    OR NOT {IS_INTACT}
    OR EXISTS (SELECT FROM customers_scoringfailure WHERE retry_at <= clock_timestamp())
    OR EXISTS (SELECT FROM customers_rescorerequest WHERE {REQUEST_IS_DUE})
"""

MARK_ALL = f"INSERT INTO customers_stalemark (kind, ids) VALUES ({SWEEP}, ARRAY[0])"
NOTHING_IS_LOST = f"""
WITH former AS (DELETE FROM customers_stalemark WHERE kind = {INTACT})
INSERT INTO customers_stalemark (kind, ids) VALUES ({INTACT}, {FILE})
"""


def _marking(kind: int | str, customers: str, due_at: str = "clock_timestamp()") -> str:
    """Marks of this kind for the customers that a query finds."""
    return f"""
INSERT INTO customers_stalemark (kind, due_at, ids)
SELECT {kind}, {due_at}, array_agg(customer_id) FROM (
    SELECT customer_id, (row_number() OVER (ORDER BY customer_id) - 1) / {ARRAY_IDS} AS piece
    FROM ({customers}) AS found
) AS numbered GROUP BY piece
"""


_OF_THESE = "SELECT customer_id FROM customers_customer AS customer WHERE customer_id = ANY (%(ids)s::bigint[])"
MARK_THESE = _marking(LARGE, "SELECT unnest(%s::bigint[]) AS customer_id")
MARK_EACH = f"INSERT INTO customers_stalemark (kind, ids) SELECT {LATER}, ARRAY[id] FROM unnest(%s::bigint[]) AS id"
MARK_DUE_FAILURES = _marking(
    LARGE, "SELECT customer_id FROM customers_scoringfailure WHERE retry_at <= clock_timestamp()"
)
_MARK_PASSED = _marking("%(kind)s", f"{_OF_THESE} AND {STALE} AND {NOT_EXCLUDED}", f"clock_timestamp() + {HELD_PAUSE}")
MARK_PASSED = f"""
WITH marked AS ({_MARK_PASSED} RETURNING ids) SELECT COALESCE(sum(cardinality(ids)), 0)::int FROM marked
"""
ASK_AGAIN = f"""
INSERT INTO customers_rescorerequest (customer_ids, asked_at)
SELECT array_agg(customer_id), clock_timestamp() + {HELD_PAUSE} FROM ({_OF_THESE} AND {NOT_EXCLUDED}) AS held
HAVING count(*) > 0 RETURNING cardinality(customer_ids)
"""

# Marks of one kind, those that other workers hold passed over; and in the same snapshot the active release, by which
# alone they can be judged, and the other kinds that wait.
TAKE = f"""
WITH taken AS (
    DELETE FROM customers_stalemark WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM customers_stalemark WHERE kind = %(kind)s AND {MARK_IS_DUE} ORDER BY due_at
        LIMIT %(marks)s FOR UPDATE SKIP LOCKED
    )) RETURNING ids
)
SELECT ARRAY(SELECT unnest(ids) FROM taken), ({NEWEST_RELEASE}), ARRAY(
    SELECT kind FROM unnest(ARRAY[{LATER}, {LARGE}, {PASSED}, {RESTING}, {FOUND}, {SWEEP}]) AS kind
    WHERE EXISTS (SELECT FROM customers_stalemark AS mark WHERE mark.kind = kind.kind AND {MARK_IS_DUE})
    UNION ALL SELECT {REQUEST} WHERE EXISTS (SELECT FROM customers_rescorerequest WHERE {REQUEST_IS_DUE})
)
"""
TAKE_REQUESTED = f"""
DELETE FROM customers_rescorerequest WHERE id = (
    SELECT id FROM customers_rescorerequest WHERE {REQUEST_IS_DUE} ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING customer_ids
"""

TAKE_SWEEPS = f"""
DELETE FROM customers_stalemark WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM customers_stalemark WHERE kind = {SWEEP} FOR UPDATE SKIP LOCKED
)) RETURNING ids[1]
"""
# One step; where it ends, unless that was the end.
SWEEP_ON = f"""
WITH looked AS MATERIALIZED (
    SELECT customer_id, arrived_at, version, stale_since, scored_by_id, objected_at FROM customers_customer
    WHERE customer_id >= %(first)s ORDER BY customer_id LIMIT {SWEEP_ROWS}
), marked AS ({_marking(FOUND, f"SELECT customer_id FROM looked AS customer WHERE {STALE} AND {NOT_EXCLUDED}")}),
ended AS (SELECT max(customer_id) AS last FROM looked HAVING count(*) = {SWEEP_ROWS} AND max(customer_id) < {2**63 - 1})
INSERT INTO customers_stalemark (kind, ids) SELECT {SWEEP}, ARRAY[last + 1] FROM ended
"""

# Where marks were lost, or a sweep is under way, the next drain will find them; and the model has no answer to those
# who failed.
COUNT_UNMARKED = f"""
SELECT count(*) FROM customers_customer AS customer
WHERE {STALE} AND {IS_INTACT}
  AND customer_id NOT IN (SELECT unnest(ids) FROM customers_stalemark WHERE kind < {SWEEP})
  AND NOT EXISTS (SELECT FROM customers_stalemark WHERE kind = {SWEEP} AND ids[1] <= customer_id)
  AND NOT EXISTS (SELECT FROM customers_scoringfailure AS failure WHERE {OF_THIS_VERSION})
"""

MARKED = f"""
SELECT {IS_INTACT} AND NOT EXISTS (SELECT FROM customers_stalemark WHERE kind = {SWEEP}),
    ARRAY(SELECT DISTINCT unnest(ids) FROM customers_stalemark WHERE kind < {SWEEP} LIMIT %s)
"""


@dataclass(frozen=True)
class Taken:
    """Customers whose marks, or requests, this transaction has taken away."""

    found: dict[int, set[int]]  # by kind
    sweep_is_due: bool = False

    @property
    def ids(self) -> set[int]:
        return set().union(*self.found.values())

    @property
    def requested(self) -> set[int]:
        """To be scored though they may be current."""
        return self.found.get(REQUEST, set())

    @property
    def resting(self) -> set[int]:
        """To be scored if they were not edited a moment ago."""
        others = (ids for kind, ids in self.found.items() if kind != RESTING)
        return self.found.get(RESTING, set()).difference(*others)


def take(cursor: CursorWrapper, release: ModelRelease, limit: int) -> Taken:
    """Take marks for some ``limit`` customers, live edits first; one other kind always has a share.

    Raises ``ReleaseMovedOnError`` when ``release`` is not the active one: the transaction has to be rolled back.
    """
    live, waiting = _take(cursor, release, LIVE, limit)
    found = {LIVE: live}
    share, room = limit // SHARE, limit - len(live)
    for kind in in_turn(sorted(set(waiting) - {SWEEP})):
        room = max(room, share)
        if room <= 0:
            break
        share = 0
        # An array of ids names as many customers as it has; each of an edit one by one stands alone.
        most_marks = room if kind == LATER else -(-room // ARRAY_IDS)
        more = _take(cursor, release, kind, most_marks)[0]
        found.setdefault(kind, set()).update(more)
        room -= len(more)
    return Taken(found, sweep_is_due=SWEEP in waiting and FOUND not in waiting)


def in_turn(kinds: list[int]) -> Iterator[int]:
    """These kinds in their order; every now and then another of them comes first, so that each comes to an end."""
    turn = next(_turn)
    if kinds and turn % TURNS == 0:
        yield kinds[turn // TURNS % len(kinds)]
    yield from kinds


def _take(cursor: CursorWrapper, release: ModelRelease, kind: int, most: int) -> tuple[set[int], list[int]]:
    """The customers of so many marks, or of one request, and the kinds that there are beside live ones."""
    if kind == REQUEST:
        cursor.execute(TAKE_REQUESTED)
        requested = cursor.fetchone()
        return set(requested[0] if requested else ()), []
    cursor.execute(TAKE, {"kind": kind, "marks": most})
    ids, newest_release, waiting = cursor.fetchone()
    hold_to(release, newest_release)
    return set(ids), waiting


def pass_over(cursor: CursorWrapper, release: ModelRelease, ids: set[int], taken: Taken) -> int:
    """Mark again, for later, those of these who are still to be scored: another transaction holds their rows."""
    passed_over = 0
    for kind, these in ((PASSED, ids - taken.requested - taken.resting), (RESTING, ids & taken.resting)):
        if these:
            cursor.execute(MARK_PASSED, {"kind": kind, "ids": list(these), "release": release.pk})
            passed_over += cursor.fetchone()[0]
    if ids & taken.requested:
        cursor.execute(ASK_AGAIN, {"ids": list(ids & taken.requested), "release": release.pk})
        passed_over += (cursor.fetchone() or (0,))[0]
    return int(passed_over)


@transaction.atomic
def sweep() -> bool:
    """Look at the next few thousand customers of a sweep, and mark those who are stale; False if none is under way."""
    firsts = [first for (first,) in fetch_rows(TAKE_SWEEPS)]
    if firsts:
        (release,) = fetch_row("SELECT max(id) FROM customers_modelrelease")
        execute(SWEEP_ON, {"first": min(firsts), "release": release})
    return bool(firsts)


@transaction.atomic
def restore_marks() -> int:
    """Mark what no edit will mark: all customers where marks were lost, and failed customers who are due again.

    Returns the number of marks made.
    """
    (is_intact,) = fetch_row(f"SELECT {IS_INTACT}")
    if not is_intact:
        execute(MARK_ALL)
        execute(NOTHING_IS_LOST)
        return 1
    # Of a former life, or of a customer who has objected, they would be due for ever.
    ScoringFailure.objects.filter(retry_at__lte=Now()).forget_former_lives()
    return execute(MARK_DUE_FAILURES)


def mark(customer_ids: Sequence[int]) -> None:
    """Have these customers looked at."""
    execute(MARK_THESE, [list(customer_ids)])


def mark_each(customer_ids: Sequence[int]) -> None:
    """Have these customers looked at, each apart from the others: a batch of few takes no more than these."""
    execute(MARK_EACH, [list(customer_ids)])


def mark_all() -> None:
    """Have every customer looked at: the net below all marks."""
    execute(MARK_ALL)


def count_unmarked(release: ModelRelease) -> int:
    """How many stale customers no mark covers, so that no drain will find them for some minutes."""
    return int(fetch_row(COUNT_UNMARKED, {"release": release.pk})[0])


def where_stale_ones_are() -> Q:
    """A condition that all stale customers fulfil and, where there are few, hardly any others: to look for them in the
    whole portfolio without an index. Of the customers whom it finds some may be current."""
    all_are_marked, marked = fetch_row(MARKED, [MOST_MARKED + 1])
    failed = list(ScoringFailure.objects.values_list("customer_id", flat=True)[: MOST_FAILURES + 1])
    if not all_are_marked or len(marked) > MOST_MARKED or len(failed) > MOST_FAILURES:
        return Q()
    return Q(customer_id__in=[*failed, *marked])


def is_stale_by_marks(release: int | None) -> Q:
    """As ``models.is_stale``, found without an index."""
    return where_stale_ones_are() & is_stale(release)
