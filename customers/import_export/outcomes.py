"""Who really left: the bank's word, loaded from a CSV file by the rules of every import (docs/import.md)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic

from django.db import connection

from customers.import_export.csv_files.cells import check_flag, check_id, check_past_day
from customers.import_export.csv_files.columns import Columns
from customers.import_export.csv_files.reader import opened
from customers.import_export.customers import Report
from customers.import_export.staging import SLICE_ROWS, Progress, Row, staged
from customers.ml_service.names import ALIASES, spellings
from customers.ml_service.schema import LABEL
from customers.models import OutcomesComplete

TABLE = "customers_outcome"
STORED = ("customer_id", "left_on", "stayed_until")

# Without "left" everybody in the file has left; with it, the day of whoever has not is one on which he was still there.
OUTCOMES = Columns(
    names={
        "customer_id": ("customer_id", *ALIASES["customer_id"]),
        "date": ("date", "left on", "leaving date", "exit date", "churn date", "day"),
        "left": ("left", *spellings(LABEL)),
    },
    required=("customer_id", "date"),
    checks={"customer_id": check_id, "date": check_past_day, "left": check_flag},
)

# Neither a customer now, nor scored at any time that the history reaches back to.
COUNT_UNKNOWN = """
SELECT count(*) FROM customers_staging AS s
WHERE NOT EXISTS (SELECT FROM customers_customer AS c WHERE c.customer_id = s.customer_id)
  AND NOT EXISTS (SELECT FROM customers_scorerecord AS r WHERE r.customer_id = s.customer_id)
"""


@dataclass(frozen=True)
class OutcomesReport(Report):
    """``unknown``: outcomes of nobody whom we know."""

    unknown: int
    observed_until: date | None

    @property
    def is_complete(self) -> bool:
        """Whether whoever is missing in all files counts as having stayed, by this import."""
        return self.observed_until is not None and not self.rejects.rows

    @property
    def notes(self) -> list[str]:
        notes = [f"{self.unknown} of them are of nobody who is, or was, a customer here"] if self.unknown else []
        if self.is_complete:
            notes.append(f"Whoever is in no file counts as having stayed until {self.observed_until}")
        elif self.observed_until:
            notes.append(
                "Nobody counts as having stayed because of this file: a rejected row may be of somebody who left. "
                "Mend them, and load them with --observed-until again"
            )
        return notes


def import_outcomes(
    path: Path,
    *,
    observed_until: date | None = None,
    dry_run: bool = False,
    rejects_path: Path | None = None,
    decimal: str | None = None,
    slice_rows: int = SLICE_ROWS,
    progress: Progress | None = None,
) -> OutcomesReport:
    """Load outcomes; one of a customer who has one already replaces it. Raises as ``csv_import.import_file``.

    ``observed_until`` is the caller's word that everybody who left up to that day is in this file or in former ones.
    It is not taken while rows are rejected: one may be of somebody who left, who would count as having stayed.
    """
    began = monotonic()
    with (
        opened(path, OUTCOMES, rejects_path=rejects_path, dry_run=dry_run, decimal=decimal) as source,
        staged(as_stored(source.rows), STORED, progress, table=TABLE) as staging,
    ):
        source.rejects.publish()
        unknown = count_unknown()
        tally = staging.compare() if dry_run else staging.store(slice_rows)
    seconds = monotonic() - began
    report = OutcomesReport(
        tally, source.rejects, source.layout.ignored, source.formats, seconds, unknown, observed_until
    )
    if observed_until and report.is_complete and not dry_run:
        say_complete(observed_until)
    return report


def as_stored(rows: Iterable[Row]) -> Iterator[Row]:
    """From what a file says, with or without the column ``left``, to the columns of the table."""
    for customer_id, day, *told in rows:
        has_left = told[0] if told else True
        yield (customer_id, day, None) if has_left else (customer_id, None, day)


def count_unknown() -> int:
    """How many of the staged outcomes are of nobody whom we know."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_UNKNOWN)
        return int(cursor.fetchone()[0])


def say_complete(until: date) -> None:
    """Unless that was the newest word already."""
    if until != complete_until():
        OutcomesComplete.objects.create(until=until)


def complete_until() -> date | None:
    """Up to when everybody who left is known, by the newest word."""
    return OutcomesComplete.objects.order_by("-id").values_list("until", flat=True).first()
