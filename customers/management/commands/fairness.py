"""How groups of customers stand by their scores, and by who left."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from customers.management.columns import in_columns
from customers.ml_service.card import Table
from customers.ml_service.card.groups import EXPLANATION, calibration_table, named, rate_tables, selection_table
from customers.monitoring.fairness import Fairness, Judged, NothingToCheckError, measure
from customers.presentation.durations import format_day
from customers.presentation.numbers import format_count

NOTHING_TO_CHECK = 2


class Command(BaseCommand):
    help = (
        "Compare groups of customers by their scores and, where outcomes are known, by who left (docs/model.md). "
        "Exits with 1 if the scores of a group are far from how many of it left, with 2 if there is no score."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = measure()
        except NothingToCheckError as error:
            raise CommandError(f"Nothing was checked. {error}", returncode=NOTHING_TO_CHECK) from None
        self.stdout.write(
            json.dumps(asdict(found), cls=DjangoJSONEncoder) if options["json"] else "\n".join(describe(found))
        )
        if found.warning:
            raise CommandError(found.warning)


def describe(found: Fairness) -> Iterator[str]:
    customers = format_count(found.customers, "customer", "customers")
    yield f"Release {found.release}: {customers} with an up-to-date score, and the share from each threshold on"
    yield f"\n{as_text(selection_table(named(found.groups), found.thresholds))}"
    if found.judged is None:
        yield f"\nOutcomes: {found.no_outcomes} Load outcomes with manage.py import_outcomes."
    else:
        yield from describe_judged(found.judged, found.thresholds)
    yield f"\n{EXPLANATION}"


def describe_judged(found: Judged, thresholds: list[float]) -> Iterator[str]:
    first, last = format_day(found.first_day), format_day(found.last_day)
    groups = named(found.groups)
    yield f"\nScores of release {found.release} before {first}, and customers who left from {first} to {last}"
    for table in (calibration_table(groups), *rate_tables(groups, thresholds)):
        yield f"\n{as_text(table)}"


def as_text(table: Table) -> str:
    return in_columns(table.header, table.rows)
