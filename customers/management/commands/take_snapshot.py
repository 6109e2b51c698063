"""The snapshot of today, without waiting for the workers."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from customers.portfolio.snapshots import take_snapshot


class Command(BaseCommand):
    help = "Store today's snapshot of the portfolio (docs/portfolio.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--replace", action="store_true", help="store a new one if today has a snapshot already")

    def handle(self, *args: Any, replace: bool, **options: Any) -> None:
        is_stored = take_snapshot(replace=replace)
        self.stdout.write(
            "Snapshot stored."
            if is_stored
            else "No snapshot stored: today has one already (--replace stores a new one), one is being taken, or there "
            "are no customers."
        )
