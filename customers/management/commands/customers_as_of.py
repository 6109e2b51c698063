"""All customers as they stood at a moment of the past."""

import csv
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from customers.history.as_of import NotKeptError, PastCustomer, read_as_of
from customers.import_export.csv_files.cells import neutralised
from customers.management.days import describe_not_kept, past_moment
from customers.ml_service.schema import FEATURES
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count

HEADER = (
    "customer_id",
    *FEATURES,
    "version",
    "objected",
    "churn_risk_score",
    "scored_version",
    "release",
    "scored_at",
)


class Command(BaseCommand):
    help = (
        "Print all customers as they stood at a moment of the past, as CSV: values, churn risk and release, without "
        "names (docs/history.md)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "moment",
            type=past_moment,
            metavar="DATE-or-TIME",
            help="a day, as it began, such as 2026-03-31, or a time such as 2026-03-31T14:05, in VIGILPAY_TIME_ZONE",
        )
        parser.add_argument("--output", type=Path, metavar="PATH", help="write to this file, not to standard output")

    def handle(self, *args: Any, moment: datetime, output: Path | None, **options: Any) -> None:
        try:
            if output is None:
                for line in lines_as_of(moment):
                    self.stdout.write(line, ending="")
            else:
                count = format_count(write(output, moment), "customer", "customers")
                self.stdout.write(f"{count} as of {format_time(moment, seconds=True)}: {output}")
        except NotKeptError as error:
            raise CommandError(describe_not_kept(error)) from None
        except OSError as error:
            raise CommandError(f"{output} could not be written: {error.strerror or error}.") from None


def write(output: Path, moment: datetime) -> int:
    """How many customers were written. The file is there when it is complete."""
    unfinished = output.with_name(f"{output.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            lines = sum(1 for line in lines_as_of(moment) if file.write(line))
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    return lines - 1  # without the header


def lines_as_of(moment: datetime) -> Iterator[str]:
    # A file whose writer gets each line back.
    write_line = csv.writer(SimpleNamespace(write=str), lineterminator="\n").writerow
    pages = read_as_of(moment)
    yield str(write_line(HEADER))
    for customer in chain.from_iterable(pages):
        yield str(write_line(cells(customer)))


def cells(customer: PastCustomer) -> list[Any]:
    """Flags as 0 and 1, times in UTC, scores with all their digits; empty where there was none."""
    return [
        customer.customer_id,
        *map(cell, customer.values),
        customer.version,
        int(customer.has_objected),
        customer.score,
        customer.scored_version,
        customer.release,
        customer.scored_at.isoformat() if customer.scored_at else "",
    ]


def cell(value: Any) -> Any:
    if isinstance(value, str):
        return neutralised(value)
    return int(value) if isinstance(value, bool) else value
