"""A CSV file into the customer table: read, check, stage, store, report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from customers.import_export.conventions import conventions_of_bank
from customers.import_export.csv_files.columns import CUSTOMERS
from customers.import_export.csv_files.reader import opened
from customers.import_export.csv_files.rejects import Rejects
from customers.import_export.external_ids import GivenIds
from customers.import_export.staging import SLICE_ROWS, Progress, RowCounts, staged
from customers.import_export.unknown_words import advise_operator, describe_unknown_words


@dataclass(frozen=True)
class ImportReport:
    """What an import did, or would do."""

    counts: RowCounts
    rejects: Rejects
    ignored: list[str]
    formats: list[str]
    seconds: float

    @property
    def rows(self) -> int:
        return self.counts.rows + self.rejects.rows

    @property
    def notes(self) -> list[str]:
        """What else staff should know of it."""
        return []


@dataclass(frozen=True)
class CustomersReport(ImportReport):
    """``unknown_words`` are lines on words that the active model does not know."""

    unknown_words: list[str]
    given: GivenIds | None

    @property
    def notes(self) -> list[str]:
        return [*([str(self.given)] if self.given else []), *self.unknown_words]


def import_file(
    path: Path,
    *,
    dry_run: bool = False,
    rejects_path: Path | None = None,
    decimal: str | None = None,
    mapping: Mapping[str, str] | None = None,
    slice_rows: int = SLICE_ROWS,
    progress: Progress | None = None,
) -> CustomersReport:
    """Load a CSV file of customers. Nothing is stored before the whole file was read and checked.

    Raises RefusedError when the file as a whole can't be loaded, LoadError when storing stopped half-way. A dry run
    stores nothing, and writes rejected rows only where ``rejects_path`` says. ``decimal`` is "comma" or "point" for
    columns whose numbers could be read both ways; ``mapping`` says which fields columns of other names hold.
    """
    began = monotonic()
    conventions = conventions_of_bank(mapping)
    columns = conventions.of(CUSTOMERS)
    with (
        opened(path, columns, rejects_path=rejects_path, dry_run=dry_run, decimal=decimal) as source,
        staged(source.rows, source.layout.fields, progress) as staging,
    ):
        source.rejects.publish()
        unknown = describe_unknown_words(conventions.known, advise_operator)
        counts = staging.compare() if dry_run else staging.store(slice_rows)
    return CustomersReport(
        counts, source.rejects, source.layout.ignored, source.formats, monotonic() - began, unknown, staging.given
    )
