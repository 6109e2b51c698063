"""Compare the customers with those that the model was trained on."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.management.columns import in_columns
from customers.monitoring.drift import Drift, NothingToCompareError, measure
from customers.presentation.numbers import format_percent

NOTHING_TO_COMPARE = 2


class Command(BaseCommand):
    help = (
        "Compare the customers with those that the active model was trained on, by the population stability index. "
        "Exits with 1 if a shift exceeds VIGILPAY_DRIFT_ALARM, with 2 if there is nothing to compare."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = measure()
        except NothingToCompareError as error:
            raise CommandError(f"Nothing was compared. {error}", returncode=NOTHING_TO_COMPARE) from None
        self.stdout.write(
            json.dumps({**asdict(found), "shifts": [{**asdict(it), "verdict": it.verdict} for it in found.shifts]})
            if options["json"]
            else table_of(found)
        )
        if found.alarms:
            raise CommandError(found.warning)


def table_of(found: Drift) -> str:
    head = (
        f"{found.customers:,} customers, {found.scores:,} of them with an up-to-date score, compared with the "
        f"{found.reference_rows:,} customers that release {found.release} was trained on"
    )
    rows = [
        (
            it.column,
            f"{it.psi:.3f}",
            it.verdict,
            f"{it.moved_most.bin}: "
            f"{format_percent(it.moved_most.reference_share)} → {format_percent(it.moved_most.share)}",
        )
        for it in sorted(found.shifts, key=lambda shift: -shift.psi)
    ]
    return f"{head}\n\n{in_columns(('field', 'PSI', 'result', 'largest change'), rows)}"
