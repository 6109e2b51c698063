"""Who really left: what the bank says, loaded from a CSV file by the rules of every import (docs/import.md)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic

from customers.import_export.csv_files.cells import check_external_id, check_flag, check_id, check_past_day
from customers.import_export.csv_files.columns import EXTERNAL_NAMES, Columns
from customers.import_export.csv_files.reader import Source, opened
from customers.import_export.csv_files.refused import RefusedError
from customers.import_export.customers import ImportReport
from customers.import_export.external_ids import EXTERNAL_ID, customer_ids
from customers.import_export.mapping import with_mapping
from customers.import_export.staging import SLICE_ROWS, Progress, Row, staged
from customers.ml_service.names import ALIASES, spellings
from customers.ml_service.schema import LABEL
from customers.models import OutcomesComplete
from customers.presentation.numbers import format_count
from customers.sql import fetch_row

TABLE = "customers_outcome"
STORED = ("customer_id", "left_on", "stayed_until")

# Without "left" all in the file have left; with it, the day of a customer who has not is one on which they were there.
OUTCOMES = Columns(
    names={
        "customer_id": ("customer_id", *ALIASES["customer_id"]),
        EXTERNAL_ID: EXTERNAL_NAMES,
        "date": ("date", "left on", "leaving date", "exit date", "churn date", "day"),
        "left": ("left", *spellings(LABEL)),
    },
    required=("customer_id", "date"),
    checks={"customer_id": check_id, EXTERNAL_ID: check_external_id, "date": check_past_day, "left": check_flag},
    keys=("customer_id", EXTERNAL_ID),
)

# Neither a customer now, nor scored at any time that the history reaches back to.
COUNT_UNKNOWN = """
SELECT count(*) FROM customers_staging AS s
WHERE NOT EXISTS (SELECT FROM customers_customer AS c WHERE c.customer_id = s.customer_id)
  AND NOT EXISTS (SELECT FROM customers_scorerecord AS r WHERE r.customer_id = s.customer_id)
"""


@dataclass(frozen=True)
class OutcomesReport(ImportReport):
    """``unknown``: outcomes of ids that no customer has or had; ``unmatched``: rows of external IDs that none has."""

    unknown: int
    unmatched: int
    observed_until: date | None

    @property
    def is_complete(self) -> bool:
        """Whether customers who are missing in all files count as having stayed, by this import."""
        return self.observed_until is not None and not self.rejects.rows and not self.unmatched

    @property
    def notes(self) -> list[str]:
        notes = [f"{self.unknown} of them belong to no present or former customer"] if self.unknown else []
        if self.unmatched:
            rows = format_count(self.unmatched, "row", "rows")
            notes.append(f"Not stored, since no present customer has the external ID: {rows}")
        if self.is_complete:
            notes.append(f"Customers in no file count as having stayed until {self.observed_until}")
        elif self.observed_until:
            notes.append(
                "This file does not show who stayed: a row that was not stored may belong to a customer who left. "
                "Correct these rows and load them with --observed-until again"
            )
        return notes


def import_outcomes(
    path: Path,
    *,
    observed_until: date | None = None,
    dry_run: bool = False,
    rejects_path: Path | None = None,
    decimal: str | None = None,
    mapping: Mapping[str, str] | None = None,
    slice_rows: int = SLICE_ROWS,
    progress: Progress | None = None,
) -> OutcomesReport:
    """Load outcomes; one of a customer who has one already replaces it. Raises as the import of customers.

    ``observed_until`` is the caller's statement that all who left up to that day are in this file or in former ones. It
    is not taken while rows are rejected: one may be of a customer who left, and would count as having stayed.
    """
    began = monotonic()
    columns = with_mapping(OUTCOMES, mapping or {})
    with opened(path, columns, rejects_path=rejects_path, dry_run=dry_run, decimal=decimal) as source:
        rows, unmatched = by_customer_id(source)
        with staged(as_stored(rows), STORED, progress, table=TABLE) as staging:
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
        unmatched,
        observed_until,
    )
    if observed_until and report.is_complete and not dry_run and observed_until != complete_until():
        OutcomesComplete.objects.create(until=observed_until)
    return report


def by_customer_id(source: Source) -> tuple[Iterable[Row], int]:
    """The rows without external IDs, each with the customer ID; and of how many no present customer has that.

    RefusedError where two rows turn out to be of the same customer.
    """
    fields = source.layout.fields
    if EXTERNAL_ID not in fields:
        return source.rows, 0
    read = [dict(zip(fields, row, strict=True)) for row in source.rows]
    ids = customer_ids([it[EXTERNAL_ID] for it in read if it.get("customer_id") is None])
    found = [(it.get("customer_id") or ids.get(it[EXTERNAL_ID]), it) for it in read]
    rows = [(pk, *(it[name] for name in ("date", "left") if name in it)) for pk, it in found if pk is not None]
    if len({pk for pk, *_ in rows}) < len(rows):
        raise RefusedError("Several rows are of the same customer, by customer ID and by external ID. Keep one.")
    return rows, len(read) - len(rows)


def as_stored(rows: Iterable[Row]) -> Iterator[Row]:
    """From what a file says, with or without the column ``left``, to the columns of the table."""
    for customer_id, day, *left in rows:
        yield (customer_id, day, None) if not left or left[0] else (customer_id, None, day)


def complete_until() -> date | None:
    """Up to when all who left are known, by the newest word."""
    return OutcomesComplete.objects.order_by("-id").values_list("until", flat=True).first()
