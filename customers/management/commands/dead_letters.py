"""Customers whom the model could not score, or whom staff have excluded from scoring."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Count

from customers.management.columns import in_columns
from customers.models import Exclusion, ScoringFailure
from customers.models.rescoring import ScoringFailureQuerySet
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
        parser.add_argument(
            "--words", action="store_true", help="list customers whose country or gender the model does not know"
        )

    def handle(self, *args: Any, requeue: list[int] | None, requeue_all: bool, words: bool, **options: Any) -> None:
        if requeue_all:
            self.report(failures.requeue())
        elif requeue:
            failed = ScoringFailure.objects.of_present_life().in_bulk(requeue)
            if unknown := [str(customer_id) for customer_id in requeue if customer_id not in failed]:
                raise CommandError(f"Nothing was queued: no failure is known for {', '.join(unknown)}.")
            if waiting := [it for it in requeue if failed[it].reason == Exclusion.WORD]:
                reason = failed[waiting[0]].error
                raise CommandError(f"Nothing was queued; a retry cannot help customer {waiting[0]}. {reason}")
            self.report(failures.requeue(requeue))
        else:
            self.stdout.write(listed(options["json"], words=words))

    def report(self, number: int) -> None:
        marks.restore_marks()  # as the next scoring run would
        self.stdout.write(f"{format_count(number, 'customer', 'customers')} queued for rescoring.")


def listed(as_json: bool, *, words: bool) -> str:
    """Each customer; those who wait for a model that knows a word only if they are asked for, else as groups."""
    failed = ScoringFailure.objects.of_present_life()
    found = list((failed.of_words() if words else failed.without_words()).values(*FIELDS))
    if as_json:
        return json.dumps(found, cls=DjangoJSONEncoder)
    if words:
        return table(found, "No customer is excluded from scoring for an unknown country or gender.")
    none = "No customer is excluded from scoring individually, and no retry is scheduled."
    return "\n".join([table(found, none), *waiting_for_words(failed)])


def waiting_for_words(failed: ScoringFailureQuerySet) -> list[str]:
    """A line for each word and release that does not know it."""
    groups = failed.of_words().values_list("word", "release_id").annotate(Count("pk")).order_by("release_id", "word")
    return [
        f"{format_count(customers, 'customer is', 'customers are')} excluded from scoring: "
        f"release {release} does not know the {word}."
        for word, release, customers in groups
    ]


def table(found: Sequence[dict[str, Any]], none: str) -> str:
    if not found:
        return none
    head = ("customer", "version", "release", "attempts", "first failed", "last failed", "next attempt", "by", "reason")
    return in_columns(head, [[as_cell(failure[field]) for field in FIELDS] for failure in found])


def as_cell(value: Any) -> str:
    if value is None:
        return "excluded"
    return format_time(value, seconds=True) if isinstance(value, datetime) else str(value)
