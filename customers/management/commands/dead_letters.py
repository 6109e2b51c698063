"""Customers whom the model could not score, or whom staff have excluded from scoring."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from customers.management.columns import in_columns
from customers.models import ScoringFailure
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count
from customers.scoring import failures, marks

FIELDS = (
    *("customer_id", "version", "release_id", "attempts", "first_failed_at", "last_failed_at", "retry_at"),
    *("reason", "error"),
)


class Command(BaseCommand):
    help = "List customers excluded from scoring, or waiting for a retry; and retry them now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--requeue", type=int, nargs="+", metavar="ID", help="retry these customers now")
        what.add_argument("--requeue-all", action="store_true", help="retry all of them now")
        what.add_argument("--json", action="store_true", help="list them as JSON")

    def handle(self, *args: Any, requeue: list[int] | None, requeue_all: bool, **options: Any) -> None:
        if requeue_all:
            self.report(failures.requeue())
        elif requeue:
            failed = ScoringFailure.objects.of_present_life().in_bulk(requeue)
            if unknown := [str(customer_id) for customer_id in requeue if customer_id not in failed]:
                raise CommandError(f"Nothing was queued: no failure is known for {', '.join(unknown)}.")
            self.report(failures.requeue(requeue))
        else:
            self.stdout.write(listed(options["json"]))

    def report(self, number: int) -> None:
        marks.restore_marks()  # as the next scoring run would
        self.stdout.write(f"{format_count(number, 'customer', 'customers')} queued for rescoring.")


def listed(as_json: bool) -> str:
    found = list(ScoringFailure.objects.of_present_life().values(*FIELDS))
    if as_json:
        return json.dumps(found, cls=DjangoJSONEncoder)
    if not found:
        return "No customer is excluded from scoring, and none is waiting for a retry."
    head = ("customer", "version", "release", "attempts", "first failed", "last failed", "next attempt", "by", "reason")
    return in_columns(head, [[as_cell(failure[field]) for field in FIELDS] for failure in found])


def as_cell(value: Any) -> str:
    if value is None:
        return "excluded"
    return format_time(value, seconds=True) if isinstance(value, datetime) else str(value)
