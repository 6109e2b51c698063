"""A CSV file into the customer table: read, check, stage, store, report."""

from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from customers.bulk import SLICE_ROWS, Progress, Tally, staged
from customers.csv_import.columns import Layout, read_layout
from customers.csv_import.file import Lines, at_least_one, header_line, open_csv, records
from customers.csv_import.rejects import Rejects, default_path, remove_former
from customers.csv_import.rows import good_rows


@dataclass(frozen=True)
class Report:
    """What an import did, or would do."""

    tally: Tally
    rejects: Rejects
    ignored: list[str]
    seconds: float

    @property
    def rows(self) -> int:
        return self.tally.rows + self.rejects.rows


def import_file(
    path: Path,
    *,
    dry_run: bool = False,
    rejects_path: Path | None = None,
    slice_rows: int = SLICE_ROWS,
    progress: Progress | None = None,
) -> Report:
    """Load a CSV file of customers. Nothing is stored before the whole file was read and checked.

    Raises RefusedError when the file as a whole can't be loaded, LoadError when storing stopped half-way. A dry run
    stores nothing, and writes rejected rows only where ``rejects_path`` says.
    """
    began = monotonic()
    if rejects_path is None and not dry_run:
        rejects_path = default_path(path)
    if rejects_path is not None:
        remove_former(rejects_path, path)
    with open_csv(path) as text:
        lines = Lines(text)
        layout = read_layout(header_line(lines))
        rejects = Rejects(rejects_path, layout.names)
        tally = load(lines, layout, rejects, progress, None if dry_run else slice_rows)
    return Report(tally, rejects, layout.ignored, monotonic() - began)


def load(lines: Lines, layout: Layout, rejects: Rejects, progress: Progress | None, slice_rows: int | None) -> Tally:
    """Read and check all lines, then store the good ones; without ``slice_rows`` only tell what storing would do."""
    rows = good_rows(at_least_one(records(lines, layout.delimiter)), layout, rejects.add)
    try:
        with staged(rows, layout.fields, progress) as staging:
            rejects.publish()
            return staging.store(slice_rows) if slice_rows else staging.compare()
    finally:
        rejects.discard()
