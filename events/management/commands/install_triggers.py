"""Repair the triggers of a database."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS

from events.triggers.definitions import TRIGGERS
from events.triggers.repair import install


class Command(BaseCommand):
    help = "Install the declared triggers again, whatever is installed. Waits for open edits; takes milliseconds."
    requires_system_checks = ()  # it mends what the checks complain of

    def handle(self, *args: Any, **options: Any) -> None:
        install(DEFAULT_DB_ALIAS)
        self.stdout.write(f"{len(TRIGGERS)} triggers installed.")
