"""One statement of SQL, and what the database answers to it."""

from typing import Any, cast

from django.db import connection


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
