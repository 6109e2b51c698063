"""How good the scores turned out to be."""

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
from customers.ml_service.performance import FEWEST, Performance
from customers.monitoring.evaluation import DEFAULT_DAYS, Evaluation, NothingToEvaluateError, ReleaseJudgement, evaluate


class Command(BaseCommand):
    help = "Judge the scores as they were stored by who left since, by imported outcomes (docs/drift-and-outcomes.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--horizon", type=positive, default=DEFAULT_DAYS, metavar="DAYS", help="within which to leave (%(default)s)"
        )
        parser.add_argument(
            "--as-of",
            type=day,
            metavar="DATE",
            help="the last scores before this day, and who left from it on (the latest day whose outcomes are known)",
        )
        parser.add_argument("--release", type=positive, metavar="ID", help="of this release alone")
        parser.add_argument("--json", action="store_true", help="as JSON")

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
    window = found.window
    yield f"The last scores stored before {window.first_day}, and who left from that day to {window.last_day}"
    for judgement in found.judgements:
        yield f"\n{counts(judgement)}"
        if judgement.performance is None:
            yield f"Too few to judge: at least {FEWEST} who left and {FEWEST} who stayed are needed."
        else:
            yield from figures(judgement.performance)


def counts(judgement: ReleaseJudgement) -> str:
    known = f"release {judgement.release}: {judgement.customers:,} customers, {judgement.left:,} of them left"
    if not judgement.unknown:
        return known
    return f"{known}; {judgement.unknown:,} more are left out, since nobody knows whether they stayed"


def figures(found: Performance) -> Iterator[str]:
    rows = [
        ("ROC AUC", f"{found.roc_auc:.4f} ± {found.roc_auc_error:.4f}"),
        ("PR AUC", f"{found.pr_auc:.4f}"),
        ("Brier score", f"{found.brier:.4f}"),
        ("lift at 10 %", f"{found.lift:.2f}"),
        ("calibration error", f"{found.calibration_error:.4f}"),
    ]
    yield f"{in_columns(('figure', 'value'), rows)}\n"
    yield in_columns(
        ("customers", "mean score", "left"),
        [(f"{it.customers:,}", f"{it.mean_score:.1%}", f"{it.share_left:.1%}") for it in found.calibration],
    )
