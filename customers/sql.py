"""One statement of SQL, and what the database answers to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.db import connection
from django.db.backends.utils import CursorWrapper


def execute(statement: str, values: Any = None) -> int:
    """Run the statement; how many rows it has written."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def fetch_row(statement: str, values: Any = None) -> Any:
    """The first row of the answer, a tuple; None if there is none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()


def fetch_rows(statement: str, values: Any = None) -> list[Any]:
    """All rows of the answer, tuples."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cast(list[Any], cursor.fetchall())


@contextmanager
def time_limit(cursor: CursorWrapper, patience: str) -> Iterator[None]:
    """How long each statement of this transaction may take, in PostgreSQL's words, before it fails: ``20s``.

    Outside of the block the connection's own limit holds again; after an exception the transaction ends anyway.
    """
    cursor.execute("SELECT set_config('statement_timeout', %s, true)", [patience])
    yield
    cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
