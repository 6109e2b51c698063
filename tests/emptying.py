"""What a test that commits has left is taken away in milliseconds: deleted, where ``flush`` truncates all tables.

Truncating 50 tables takes a quarter of a second, and what ``post_migrate`` fills again another; five hundred tests
commit. Here rows are deleted without asking foreign keys, and those that the migrations left come back by COPY.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from psycopg import sql

LARGE = 200_000  # bytes: a table that grew so far is cut off, lest each later test reads through its dead rows
CUSTOMERS = "customers_customer"  # its triggers write into other tables, so it is the first

SIZES = """
SELECT name, pg_relation_size(name::text::regclass)
FROM unnest(%s::text[]) AS name ORDER BY name <> %s
"""


@dataclass(frozen=True)
class Beginning:
    """The rows of each table as they were before the first test."""

    rows: dict[str, bytes]

    @classmethod
    def of_now(cls) -> "Beginning":
        with connection.cursor() as cursor:
            return cls({table: rows_of(cursor, table) for table in tables()})

    def restore(self) -> None:
        """One short transaction; sequences go on, as after Django's ``flush``."""
        with connection.cursor() as cursor:
            cursor.execute("BEGIN; SET LOCAL session_replication_role = replica")
            # A process that was killed may still have a statement at work: what it commits is waited for, and goes too.
            cursor.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(names(self.rows)))
            cursor.execute(SIZES, [list(self.rows), CUSTOMERS])
            for table, size in cursor.fetchall():
                empty = "TRUNCATE {} CASCADE" if size > LARGE else "DELETE FROM {}"
                cursor.execute(sql.SQL(empty).format(sql.Identifier(table)))
            for table, rows in self.rows.items():
                if rows:
                    with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
                        copy.write(rows)
            cursor.execute("COMMIT")


def may_delete_unasked() -> bool:
    """On a server of a user's own its login may not switch foreign keys off."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return cursor.fetchone()[0]


def tables() -> list[str]:
    """Those that ``flush`` empties."""
    return connection.introspection.django_table_names(only_existing=True, include_views=False)


def names(tables: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, tables))


def rows_of(cursor, table: str) -> bytes:
    with cursor.copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
        return b"".join(copy)
