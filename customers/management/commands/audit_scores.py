"""Recompute stored scores by scikit-learn itself and compare."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.management.progress import TerminalProgress, positive
from customers.ml_service import ModelError
from customers.models import AuditFinding
from customers.monitoring.audit import AuditReport, audit
from customers.portfolio.sampling import random_ids

SAMPLE_CUSTOMERS = 1000


class Command(BaseCommand):
    help = "Recompute stored scores by scikit-learn itself and compare. Exits with 1 when a broken row is left."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--sample", type=positive, default=SAMPLE_CUSTOMERS, metavar="N", help="customers at random (%(default)s)"
        )
        which.add_argument("--all", action="store_true", help="every customer")
        parser.add_argument("--repair", action="store_true", help="score wrong rows anew; never done unasked")

    def handle(self, *args: Any, sample: int, repair: bool, **options: Any) -> None:
        try:
            with TerminalProgress(sys.stderr) as progress:
                report = audit(None if options["all"] else random_ids(sample), mend=repair, progress=progress)
        except ModelError as error:
            raise CommandError(f"Nothing was audited. {error}") from error
        self.stdout.write(describe_report(report))
        if report.left or report.unmarked:
            raise CommandError(f"{describe_rest(report)} {AuditFinding.objects.open().count():,} open findings in all.")


def describe_report(report: AuditReport) -> str:
    mended = report.wrong + report.unrecorded and not report.left
    return (
        f"{report.audited:,} current scores audited: {report.wrong:,} wrong, {report.unrecorded:,} not in the history"
        f"{', all repaired' if mended else ''}; {report.unmarked:,} stale customers without a mark"
    )


def describe_rest(report: AuditReport) -> str:
    left = f"{report.left:,} customers are left with a broken row; the log names the wrong ones." if report.left else ""
    hint = "No drain will find the stale customers without a mark: see docs/operations.md." if report.unmarked else ""
    return " ".join(filter(None, [left, hint]))
