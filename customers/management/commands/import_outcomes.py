"""Load who really left from a CSV file."""

from typing import Any

from django.core.management.base import CommandParser

from customers.import_export.outcomes import import_outcomes
from customers.management.csv_command import EXIT_CODES, CsvCommand
from customers.management.days import past_day


class Command(CsvCommand):
    help = (
        "Load who left, and when, from a CSV file with the columns customer_id and date, and perhaps left "
        f"(docs/drift-and-outcomes.md). {EXIT_CODES}"
    )
    load_file = staticmethod(import_outcomes)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--observed-until",
            type=past_day,
            metavar="DATE",
            help="everybody who left up to this day is in this file or in former ones: all others stayed",
        )

    def how(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**super().how(options), "observed_until": options["observed_until"]}
