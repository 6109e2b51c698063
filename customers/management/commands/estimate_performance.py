"""How good the scores should be, before it is known who leaves."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.monitoring.estimation import NO_CONCEPT_DRIFT, Estimate, NothingToEstimateError, estimate
from customers.presentation.numbers import format_percent


class Command(BaseCommand):
    help = "Estimate the ROC AUC of the current scores before outcomes are known (docs/drift-and-outcomes.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = estimate()
        except NothingToEstimateError as error:
            raise CommandError(f"Nothing was estimated. {error}") from None
        self.stdout.write(
            json.dumps({**asdict(found), "caveat": NO_CONCEPT_DRIFT})
            if options["json"]
            else "\n".join(describe_estimate(found))
        )


def describe_estimate(found: Estimate) -> Iterator[str]:
    yield f"Release {found.release}, {found.customers:,} customers with a current score"
    yield f"Estimated ROC AUC: {found.roc_auc:.4f} ± {found.roc_auc_error:.4f}"
    if found.roc_auc_in_training is not None:
        yield f"ROC AUC in training: {found.roc_auc_in_training:.4f}"
    yield f"Expected to leave: {format_percent(found.share_leaving)}"
    if found.slope is None:
        yield "This release keeps no calibration: its scores were taken as they are."
    yield f"\n{NO_CONCEPT_DRIFT}"
