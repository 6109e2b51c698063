"""Load which customers left from a CSV file."""

from typing import Any

from django.core.management.base import CommandParser

from customers.import_export.outcomes import import_outcomes
from customers.management.csv_command import EXIT_CODES, CsvCommand
from customers.management.days import past_day


class Command(CsvCommand):
    help = (
        "Load which customers left, and when, from a CSV file with the columns customer_id, date and, optionally, left "
        f"(docs/drift-and-outcomes.md). {EXIT_CODES}"
    )
    load_file = staticmethod(import_outcomes)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--observed-until",
            type=past_day,
            metavar="DATE",
            help="all customers who left up to this day are in this file or in earlier ones: the others stayed",
        )

    def how(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**super().how(options), "observed_until": options["observed_until"]}
