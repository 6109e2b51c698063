"""Django's own command, which never makes editors wait behind it for long.

A change of a table waits for every open edit of it, and all later edits wait behind that change. So it gives up soon,
lets them pass, and tries again. docs/decisions/0035-operations.md
"""

from time import sleep
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import OperationalError, connections
from django.db.migrations import Migration
from psycopg.errors import LockNotAvailable

PATIENCE = "2s"
ATTEMPTS = 15
PAUSE_SECONDS = 2.0

SET_PATIENCE = "SELECT set_config('lock_timeout', %s, false)"
STARTS = ("apply_start", "unapply_start")

HELD = (
    "An open edit holds a table that must change, and was still open after {} attempts. What was applied so far stays; "
    "run this again when the edit is over. pg_stat_activity shows it: state 'idle in transaction'."
)


class Command(MigrateCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        """Raises ``CommandError`` when an open edit outlasts all attempts."""
        self._database = options["database"]
        try:
            self._try_until_locked(*args, **options)
        finally:
            self._wait_for_locks("0")  # as all of our sessions: vigilpay/sessions.py

    def _try_until_locked(self, *args: Any, **options: Any) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                super().handle(*args, **options)
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
                if attempt == ATTEMPTS:
                    raise CommandError(HELD.format(ATTEMPTS)) from error
            else:
                return
            if self.verbosity:
                self.stdout.write(" an open edit locks a table, trying again")
            sleep(PAUSE_SECONDS)

    def migration_progress_callback(self, action: str, migration: Migration | None = None, fake: bool = False) -> None:
        """Called by Django before and after each migration. Those that work concurrently hold up no editor."""
        if action in STARTS and migration is not None:
            self._wait_for_locks(PATIENCE if migration.atomic else "0")
        super().migration_progress_callback(action, migration, fake)

    def _wait_for_locks(self, patience: str) -> None:
        connection = connections[self._database]
        if connection.vendor == "postgresql" and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute(SET_PATIENCE, [patience])
