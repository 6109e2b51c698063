"""How good the scores turned out to be, and whether contacts keep customers."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from customers.management.columns import in_columns
from customers.management.days import day
from customers.management.progress import positive
from customers.ml_service.messages import NO_BREAK
from customers.ml_service.performance import FEWEST, Performance
from customers.monitoring.comparison import FEWEST_IN_GROUP, FEWEST_LEFT, Comparison
from customers.monitoring.evaluation import DEFAULT_DAYS, Evaluation, NothingToEvaluateError, ReleaseJudgement, evaluate
from customers.monitoring.window import Window
from customers.presentation.durations import format_day
from customers.presentation.numbers import format_count, format_percent, format_points

VERDICTS = {
    "fewer left": "Fewer customers left where contacts were possible.",
    "more left": "More customers left where contacts were possible.",
    "may be chance": "The interval contains 0: the difference may be chance.",
}


class Command(BaseCommand):
    help = (
        "Compare stored scores with imported outcomes, and the control group with the other customers "
        "(docs/drift-and-outcomes.md)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--horizon",
            type=positive,
            default=DEFAULT_DAYS,
            metavar="DAYS",
            help="length of the window (%(default)s)",
        )
        parser.add_argument(
            "--as-of",
            type=day,
            metavar="DATE",
            help="use the last scores before this day, and leavers from it on (default: the latest possible day)",
        )
        parser.add_argument("--release", type=positive, metavar="ID", help="scores of this release alone")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, horizon: int, as_of: date | None, release: int | None, **options: Any) -> None:
        try:
            found = evaluate(days=horizon, first_day=as_of, release=release)
        except NothingToEvaluateError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            json.dumps(asdict(found), cls=DjangoJSONEncoder)
            if options["json"]
            else "\n".join(describe_evaluation(found))
        )


def describe_evaluation(found: Evaluation) -> Iterator[str]:
    first, last = format_day(found.window.first_day), format_day(found.window.last_day)
    yield f"Last scores stored before {first}, and customers who left from {first} to {last}"
    for judgement in found.judgements:
        yield f"\n{describe_counts(judgement)}"
        if judgement.performance is None:
            yield f"Too few to judge: at least {FEWEST} customers who left and {FEWEST} who stayed are needed."
        else:
            yield from describe_performance(judgement.performance)
    yield "\nControl group"
    if found.comparison is None or found.compared is None:
        yield found.no_comparison
    else:
        yield from describe_comparison(found.comparison, found.compared)


def describe_counts(judgement: ReleaseJudgement) -> str:
    customers = format_count(judgement.customers, "customer", "customers")
    known = f"Release {judgement.release}: {customers}, {judgement.left:,} of them left"
    if not judgement.unknown:
        return known
    return f"{known}; {judgement.unknown:,} more are not used, since it is not known whether they stayed"


def describe_performance(found: Performance) -> Iterator[str]:
    rows = [
        ("ROC AUC", f"{found.roc_auc:.4f} ± {found.roc_auc_error:.4f}"),
        ("PR AUC", f"{found.pr_auc:.4f}"),
        ("Brier score", f"{found.brier:.4f}"),
        (f"lift at {format_percent(0.1, 0)}", f"{found.lift:.2f}"),
        ("calibration error", f"{found.calibration_error:.4f}"),
    ]
    yield f"{in_columns(('figure', 'value'), rows)}\n"
    yield in_columns(
        ("customers", "mean score", "left"),
        [
            (f"{it.customers:,}", format_percent(it.mean_score), format_percent(it.share_left))
            for it in found.calibration
        ],
    )


def describe_comparison(found: Comparison, days: Window) -> Iterator[str]:
    first, last = format_day(days.first_day), format_day(days.last_day)
    yield f"Customers with a score of {format_percent(found.least_score)} or more when they were assigned"
    yield f"Customers who left from {first} to {last}"
    groups = [
        ("control group", found.control),
        ("all others", found.others),
        ("  contacted", found.contacted),
        ("  not contacted", found.not_contacted),
    ]
    yield in_columns(
        ("group", "customers", "left", "share"),
        [
            (name, f"{it.customers:,}", f"{it.left:,}", "" if it.share_left is None else format_percent(it.share_left))
            for name, it in groups
        ],
    )
    yield describe_difference(found)
    yield "Staff chose whom to contact: the lines of contacted customers describe, and show no effect."


def describe_difference(found: Comparison) -> str:
    if found.difference is None or found.low is None or found.high is None:
        return (
            f"Too few to tell: at least {FEWEST_IN_GROUP} customers in each group, and {FEWEST_LEFT} who left, are "
            "needed."
        )
    interval = f"95{NO_BREAK}% interval {format_points(100 * found.low)} to {format_points(100 * found.high)}"
    difference = f"Control group less all others: {format_points(100 * found.difference)} ({interval})."
    return f"{difference} {VERDICTS[found.verdict]}"
