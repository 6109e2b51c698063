"""Stop scoring for a while."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from customers.scoring.pause import notice
from events.queue import pause


class Command(BaseCommand):
    help = "Pause scoring until `resume_scoring`: edits continue, and new scores stay pending. Analyze still scores."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", default="", help="reason; shown on every page that says that scoring is paused")

    def handle(self, *args: Any, reason: str, **options: Any) -> None:
        pause.pause(by=pause.operator_name(), reason=reason)
        self.stdout.write(notice())  # of the first pause, if it was paused already
