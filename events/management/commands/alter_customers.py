"""Change a column that triggers of ours watch, which PostgreSQL refuses as long as they are there."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection, transaction

from customers.import_export.load_errors import database_message
from customers.scoring.contention import lost_to_an_editor
from events.triggers.sql import CUSTOMERS, OURS

# Editors wait behind a table lock that is waited for.
PATIENCE = "SET LOCAL lock_timeout TO '5s'"
LOCK = f"LOCK TABLE {CUSTOMERS} IN ACCESS EXCLUSIVE MODE"
INSTALLED = """
SELECT quote_ident(tgname), pg_get_triggerdef(oid), obj_description(oid, 'pg_trigger'), tgenabled
FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgname ~ %s ORDER BY tgname
"""
# Sessions that have run them keep the columns' old types in mind, and would fail at every edit: a function that was
# made anew is read anew.
FUNCTIONS = """
SELECT pg_get_functiondef(oid) FROM pg_proc
WHERE proname ~ %s AND prokind = 'f' AND pronamespace = current_schema()::regnamespace
"""
ENABLED = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA", "D": "DISABLE"}


class Command(BaseCommand):
    help = "Run ALTER TABLE customers_customer ACTION without our triggers; no edit gets in between."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", help='such as "ALTER COLUMN balance TYPE numeric(17, 2)"')

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(PATIENCE)
                cursor.execute(LOCK)
                number = alter(cursor, action)
        except DatabaseError as error:
            reason = "open edits lock the table; try again" if lost_to_an_editor(error) else database_message(error)
            raise CommandError(f"Nothing was changed: {reason}.") from error
        self.stdout.write(f"Done, and {number} triggers are in place as before.")


def alter(cursor: Any, action: str) -> int:
    """The number of triggers that were taken away and put back."""
    cursor.execute(INSTALLED, [CUSTOMERS, OURS])
    triggers = cursor.fetchall()
    for name, _definition, _comment, _enabled in triggers:
        cursor.execute(f"DROP TRIGGER {name} ON {CUSTOMERS}")
    cursor.execute(f"ALTER TABLE {CUSTOMERS} {action}")
    cursor.execute(FUNCTIONS, [OURS])
    for (definition,) in cursor.fetchall():
        cursor.execute(definition)
    for name, definition, comment, enabled in triggers:
        cursor.execute(definition)
        cursor.execute(f"COMMENT ON TRIGGER {name} ON {CUSTOMERS} IS %s", [comment])
        cursor.execute(f"ALTER TABLE {CUSTOMERS} {ENABLED[enabled]} TRIGGER {name}")
    return len(triggers)
