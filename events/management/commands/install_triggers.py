"""Repair the triggers of a database."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction

from events.trigger_sql import OPEN_TABLES
from events.triggers import TRIGGERS, install_sql


class Command(BaseCommand):
    help = "Install the declared triggers anew, whatever is installed. Waits for open edits; takes milliseconds."
    requires_system_checks = ()  # it mends what the checks complain of

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in install_sql():
                cursor.execute(statement)
            cursor.execute(OPEN_TABLES)
        self.stdout.write(f"{len(TRIGGERS)} triggers installed.")
