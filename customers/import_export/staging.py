"""Many rows at once into the database: COPY to a staging table, then a checked upsert in short transactions.

Into the customers, or another table whose key is a customer_id. Why by COPY, and what a slice costs editors:
docs/decisions/0008-csv-by-copy.md. The engine's columns are never named here: triggers move them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, NamedTuple

from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper

from customers import turns
from customers.import_export import external_ids
from customers.import_export.external_ids import EXTERNAL_ID
from customers.import_export.load_errors import LoadError, database_message, describe_stop, reason_of
from customers.ml_service.schema import FEATURES
from customers.models import LARGEST_CUSTOMER_ID
from customers.scoring.contention import lost_to_an_editor
from customers.sql import fetch_row

CUSTOMERS = "customers_customer"
# What a bank tells us of a customer; the engine's own columns are never loaded.
STORED = ("customer_id", "surname", *FEATURES)
# Whether a customer objects to being scored: a time from when on, this for no objection, and null leaves it as it is.
OBJECTED_AT = "objected_at"
NO_OBJECTION = "-infinity"
Row = tuple[Any, ...]  # values of some of these columns

SLICE_ROWS = 2000
# Below PostgreSQL's deadlock_timeout of 1 s: when an editor and a slice wait for each other, it is the slice that goes.
LOCK_TIMEOUT = "400ms"
LOCK_PATIENCE_SECONDS = 60.0
LOCK_PAUSE_SECONDS = 0.1
TURN_PAUSE_SECONDS = 0.2
PROGRESS_ROWS = 10_000
TURN = "load"

# How a staged value differs from the stored one, replaces it, and comes with a new row: in general; of an objection,
# which keeps its time as long as it stands; and of an external ID, which stays where the file has none.
IN_GENERAL = ("c.{0} IS DISTINCT FROM s.{0}", "s.{0}", "s.{0}")
ITS_OWN = {
    OBJECTED_AT: (
        f"(c.{{0}} IS NULL) = (s.{{0}} > '{NO_OBJECTION}')",
        f"CASE WHEN s.{{0}} = '{NO_OBJECTION}' THEN NULL ELSE COALESCE(c.{{0}}, s.{{0}}) END",
        f"NULLIF(s.{{0}}, '{NO_OBJECTION}')",
    ),
    EXTERNAL_ID: ("c.{0} IS DISTINCT FROM COALESCE(s.{0}, c.{0})", "COALESCE(s.{0}, c.{0})", "s.{0}"),
}

# --- the statements; {table}, {columns}, {differs}, {assignments} are filled in for what is at hand -------------------

CREATE = "CREATE TEMPORARY TABLE customers_staging AS SELECT {columns} FROM {table} WITH NO DATA"
COPY = "COPY customers_staging ({columns}) FROM STDIN"
INDEX = "ALTER TABLE customers_staging ADD PRIMARY KEY (customer_id); ANALYZE customers_staging"
DROP = "DROP TABLE IF EXISTS pg_temp.customers_staging"

NEXT_SLICE = """
SELECT max(customer_id), count(*)
FROM (SELECT customer_id FROM customers_staging WHERE customer_id > %s ORDER BY customer_id LIMIT %s) AS slice
"""

# A slice is the ids above low up to high. Saying so of both tables lets each be read by its primary key.
COMPARE = """
SELECT count(*) FILTER (WHERE c.customer_id IS NULL), count(*) FILTER (WHERE c.customer_id IS NOT NULL AND {differs})
FROM customers_staging AS s LEFT JOIN {table} AS c
  ON c.customer_id = s.customer_id AND c.customer_id > %(low)s AND c.customer_id <= %(high)s
WHERE s.customer_id > %(low)s AND s.customer_id <= %(high)s
"""

INSERT = """
INSERT INTO {table} ({columns})
SELECT {values} FROM customers_staging AS s
WHERE s.customer_id > %(low)s AND s.customer_id <= %(high)s AND NOT EXISTS
  (SELECT FROM {table} AS c
   WHERE c.customer_id = s.customer_id AND c.customer_id > %(low)s AND c.customer_id <= %(high)s)
ORDER BY s.customer_id
ON CONFLICT (customer_id) DO NOTHING
"""

# An UPDATE alone would lock its rows in any order. What is not locked here is not updated: it may be a newer edit.
LOCK_CHANGED = """
SELECT coalesce(array_agg(customer_id), '{{}}') FROM (
  SELECT c.customer_id
  FROM customers_staging AS s JOIN {table} AS c USING (customer_id)
  WHERE {differs}
    AND s.customer_id > %(low)s AND s.customer_id <= %(high)s AND c.customer_id > %(low)s AND c.customer_id <= %(high)s
  ORDER BY c.customer_id FOR NO KEY UPDATE OF c
) AS locked
"""

UPDATE = """
UPDATE {table} AS c SET {assignments}
FROM customers_staging AS s
WHERE c.customer_id = s.customer_id AND c.customer_id = ANY(%(locked)s::bigint[])
  AND s.customer_id > %(low)s AND s.customer_id <= %(high)s
"""


class Slice(NamedTuple):
    """The staged rows with ids above ``low`` up to ``high``."""

    low: int
    high: int
    rows: int


@dataclass(frozen=True)
class RowCounts:
    """What became of the rows."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: "RowCounts") -> "RowCounts":
        return RowCounts(self.new + other.new, self.changed + other.changed, self.unchanged + other.unchanged)

    def __str__(self) -> str:
        return f"{self.new} new, {self.changed} changed, {self.unchanged} unchanged"

    @property
    def rows(self) -> int:
        return self.new + self.changed + self.unchanged


class Progress:
    """Is called as a load gets on; this one does nothing of it."""

    def __call__(self, what: str, rows: int) -> None: ...

    def before(self, piece: "Slice") -> None:
        """Called in the transaction that stores a slice, once the rows that it will change are locked.

        An exception stops the load, and nothing of the slice is stored.
        """

    def after(self, piece: "Slice", counts: "RowCounts") -> None:
        """Called in the transaction that stores a slice: what is written here is stored with it, or not at all."""


class Staging:
    """Checked rows in a temporary table of this connection, ready to be compared and stored."""

    def __init__(self, cursor: CursorWrapper, table: str, fields: tuple[str, ...], progress: Progress) -> None:
        self.fields = fields
        ways = [(field, *described(field)) for field in fields]
        self.differs = " OR ".join(differs for _, differs, _, _ in ways[1:]).join("()")
        self.given: external_ids.GivenIds | None = None
        self._is_by_external_id = EXTERNAL_ID in fields
        self._cursor = cursor
        self._progress = progress
        self._words = {
            "table": table,
            "columns": ", ".join(fields),
            "differs": self.differs,
            "values": ", ".join(comes for _, _, _, comes in ways),
            "assignments": ", ".join(f"{field} = {replaces}" for field, _, replaces, _ in ways[1:]),
        }

    def _run(self, statement: str, **values: Any) -> int:
        self._cursor.execute(statement.format(**self._words), values or None)
        return int(self._cursor.rowcount)

    def fill(self, rows: Iterable[Row]) -> None:
        """Copy the rows, whose ids must all be different. An exception of ``rows`` itself passes through."""
        try:
            with transaction.atomic():
                self._run(DROP)
                self._run(CREATE)
                self._copy(rows)
                if self._is_by_external_id:
                    external_ids.match(self._cursor)
                self._run(INDEX)
        except DatabaseError as error:
            raise LoadError(
                f"Nothing was imported; the file could not be prepared: {database_message(error)}."
            ) from error

    def _copy(self, rows: Iterable[Row]) -> None:
        with connection.wrap_database_errors, self._cursor.copy(COPY.format(**self._words)) as copy:
            for number, row in enumerate(rows, start=1):
                copy.write_row(row)
                if number % PROGRESS_ROWS == 0:
                    self._progress("read", number)

    def compare(self) -> RowCounts:
        """What ``store`` would do."""
        (rows,) = fetch_row("SELECT count(*) FROM customers_staging")
        return self._compare(Slice(0, LARGEST_CUSTOMER_ID, rows))

    def _compare(self, piece: Slice) -> RowCounts:
        self._run(COMPARE, low=piece.low, high=piece.high)
        new, changed = self._cursor.fetchone()
        return RowCounts(new, changed, piece.rows - new - changed)

    def store(
        self, slice_rows: int = SLICE_ROWS, *, after: int = 0, patience_seconds: float = LOCK_PATIENCE_SECONDS
    ) -> RowCounts:
        """Bring the table to the staged values above the id ``after``, each slice in a transaction of its own."""
        counts = RowCounts()
        with own_turn(self._progress):
            if self._is_by_external_id:
                self._give_ids(after)
            for piece in self._slices(slice_rows, after):
                counts += self._store_patiently(piece, counts, patience_seconds)
                self._progress("stored", counts.rows)
        return counts

    def _give_ids(self, after: int) -> None:
        try:
            self.given = external_ids.give(self._cursor, after)
        except DatabaseError as error:
            raise LoadError(describe_stop(reason_of(error), 0)) from error

    def _slices(self, slice_rows: int, low: int) -> Iterator[Slice]:
        while True:
            high, rows = fetch_row(NEXT_SLICE, [low, slice_rows])
            if not rows:
                return
            yield Slice(low, high, rows)
            low = high

    def _store_patiently(self, piece: Slice, before: RowCounts, patience_seconds: float) -> RowCounts:
        """Store a slice, again and again while an open edit holds one of its rows."""
        gives_up = monotonic() + patience_seconds
        while True:
            try:
                return self._store_once(piece)
            except DatabaseError as error:
                if not lost_to_an_editor(error) or monotonic() > gives_up:
                    raise LoadError(describe_stop(reason_of(error), before.rows)) from error
            except external_ids.TakenError as error:
                raise LoadError(describe_stop(str(error), before.rows)) from error
            sleep(LOCK_PAUSE_SECONDS)

    def _store_once(self, piece: Slice) -> RowCounts:
        ids = {"low": piece.low, "high": piece.high}
        with transaction.atomic():
            self._cursor.execute(f"SET LOCAL lock_timeout TO '{LOCK_TIMEOUT}'")
            due = self._compare(piece)
            locked = self._lock(piece, due.changed)
            # No statement without a row for it: even then its trigger would wake the workers.
            new = self._run(INSERT, **ids) if due.new else 0
            if self._is_by_external_id:
                external_ids.refuse_taken(piece.low, piece.high)
            if new < due.new:  # another session has inserted one of them at this moment
                locked = self._lock(piece, due.new - new)
            changed = self._run(UPDATE, **ids, locked=locked) if locked else 0
            counts = RowCounts(new, changed, piece.rows - new - changed)
            self._progress.after(piece, counts)
        return counts

    def _lock(self, piece: Slice, due: int) -> list[int]:
        """Lock the rows that are due for a change; their ids. From here on no editor comes in between."""
        locked: list[int] = []
        if due:
            self._run(LOCK_CHANGED, low=piece.low, high=piece.high)
            locked = self._cursor.fetchone()[0]
        self._progress.before(piece)
        return locked


def described(field: str) -> list[str]:
    return [way.format(field) for way in ITS_OWN.get(field, IN_GENERAL)]


@contextmanager
def staged(
    rows: Iterable[Row], fields: tuple[str, ...], progress: Progress | None = None, *, table: str = CUSTOMERS
) -> Iterator[Staging]:
    """Stage the rows, whose values come in the order of ``fields``; forget them at the end.

    The first field is customer_id, or external_id of customers of whom no row has another.
    """
    if fields[0] == EXTERNAL_ID:
        rows, fields = ((None, *row) for row in rows), ("customer_id", *fields)
    with connection.cursor() as cursor:
        staging = Staging(cursor, table, fields, progress or Progress())
        try:
            staging.fill(rows)
            yield staging
        finally:
            with suppress(DatabaseError):  # a lost connection has taken the table with it
                cursor.execute(DROP)


@contextmanager
def own_turn(progress: Progress) -> Iterator[None]:
    """Wait until no other load stores, so that of two at once one is stored wholly before the other."""
    while not turns.take(TURN):
        progress("waiting for another import", 0)
        sleep(TURN_PAUSE_SECONDS)
    try:
        yield
    finally:
        turns.leave(TURN)
