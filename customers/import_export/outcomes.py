"""Who really left: what the bank says, loaded from a CSV file by the rules of every import (docs/import.md)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic

from customers.import_export.csv_files.cells import check_flag, check_id, check_past_day
from customers.import_export.csv_files.columns import Columns
from customers.import_export.csv_files.reader import opened
from customers.import_export.customers import ImportReport
from customers.import_export.staging import SLICE_ROWS, Progress, Row, staged
from customers.ml_service.names import ALIASES, spellings
from customers.ml_service.schema import LABEL
from customers.models import OutcomesComplete
from customers.sql import fetch_row

TABLE = "customers_outcome"
STORED = ("customer_id", "left_on", "stayed_until")

# Without "left" all in the file have left; with it, the day of a customer who has not is one on which they were there.
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
class OutcomesReport(ImportReport):
    """``unknown``: outcomes of ids that no customer has or had."""

    unknown: int
    observed_until: date | None

    @property
    def is_complete(self) -> bool:
        """Whether customers who are missing in all files count as having stayed, by this import."""
        return self.observed_until is not None and not self.rejects.rows

    @property
    def notes(self) -> list[str]:
        notes = [f"{self.unknown} of them belong to no present or former customer"] if self.unknown else []
        if self.is_complete:
            notes.append(f"Customers in no file count as having stayed until {self.observed_until}")
        elif self.observed_until:
            notes.append(
                "This file does not show who stayed: a rejected row may belong to a customer who left. "
                "Correct the rejected rows and load them with --observed-until again"
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
    """Load outcomes; one of a customer who has one already replaces it. Raises as the import of customers.

    ``observed_until`` is the caller's statement that all who left up to that day are in this file or in former ones. It
    is not taken while rows are rejected: one may be of a customer who left, and would count as having stayed.
    """
    began = monotonic()
    with (
        opened(path, OUTCOMES, rejects_path=rejects_path, dry_run=dry_run, decimal=decimal) as source,
        staged(as_stored(source.rows), STORED, progress, table=TABLE) as staging,
    ):
        source.rejects.publish()
        (unknown,) = fetch_row(COUNT_UNKNOWN)
        counts = staging.compare() if dry_run else staging.store(slice_rows)
    report = OutcomesReport(
        counts,
        source.rejects,
        source.layout.ignored,
        source.formats,
        monotonic() - began,
        unknown,
        observed_until,
    )
    if observed_until and report.is_complete and not dry_run and observed_until != complete_until():
        OutcomesComplete.objects.create(until=observed_until)
    return report


def as_stored(rows: Iterable[Row]) -> Iterator[Row]:
    """From what a file says, with or without the column ``left``, to the columns of the table."""
    for customer_id, day, *left in rows:
        yield (customer_id, day, None) if not left or left[0] else (customer_id, None, day)


def complete_until() -> date | None:
    """Up to when all who left are known, by the newest word."""
    return OutcomesComplete.objects.order_by("-id").values_list("until", flat=True).first()
