"""Recompute stored scores by scikit-learn itself and compare."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.management.progress import TerminalProgress, positive
from customers.ml_service import ModelError
from customers.models import AuditFinding
from customers.monitoring.audit import AuditReport, audit
from customers.portfolio.sampling import random_ids
from customers.presentation.numbers import format_count

SAMPLE_CUSTOMERS = 1000


class Command(BaseCommand):
    help = "Recompute stored scores with scikit-learn and compare. Exits with 1 if an incorrect row is left."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--sample",
            type=positive,
            default=SAMPLE_CUSTOMERS,
            metavar="N",
            help="number of customers, drawn at random (%(default)s)",
        )
        which.add_argument("--all", action="store_true", help="every customer")
        parser.add_argument(
            "--repair", action="store_true", help="score wrong rows again; never done without this option"
        )

    def handle(self, *args: Any, sample: int, repair: bool, **options: Any) -> None:
        try:
            with TerminalProgress(sys.stderr) as progress:
                report = audit(None if options["all"] else random_ids(sample), mend=repair, progress=progress)
        except ModelError as error:
            raise CommandError(f"Nothing was audited. {error}") from error
        self.stdout.write(describe_report(report))
        if report.left or report.unmarked:
            findings = format_count(AuditFinding.objects.open().count(), "open finding", "open findings")
            raise CommandError(f"{describe_rest(report)} {findings} in total.")


def describe_report(report: AuditReport) -> str:
    mended = report.wrong + report.unrecorded + report.wrong_values and not report.left
    return (
        f"{report.audited:,} current scores audited: {report.wrong:,} wrong, {report.unrecorded:,} not in the history, "
        f"{report.wrong_values:,} with a wrong value at risk"
        f"{', all repaired' if mended else ''}; {report.unmarked:,} customers with a score pending but not queued"
    )


def describe_rest(report: AuditReport) -> str:
    rows = format_count(report.left, "customer has", "customers have")
    left = f"{rows} an incorrect row; the log names them." if report.left else ""
    hint = "Pending customers that are not queued stay unscored: see docs/releasing.md." if report.unmarked else ""
    return " ".join(filter(None, [left, hint]))
