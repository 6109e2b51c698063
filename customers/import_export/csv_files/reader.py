"""A CSV file that is being read: good rows as they come, and the others counted and kept."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from customers.import_export.csv_files.column_formats import in_formats
from customers.import_export.csv_files.columns import Columns, Layout, read_layout
from customers.import_export.csv_files.file import Lines, Record, at_least_one, header_line, open_csv, records
from customers.import_export.csv_files.rejects import Rejects, default_path, remove_former
from customers.import_export.csv_files.rows import good_rows
from customers.import_export.staging import Row


@dataclass(frozen=True)
class Source:
    """``rows`` come once, their values in the order of ``layout.fields``; then ``rejects`` is complete.

    ``formats`` says how the numbers of unusual columns were read, as lines for staff.
    """

    layout: Layout
    formats: list[str]
    rows: Iterator[Row]
    rejects: Rejects


@contextmanager
def opened(
    path: Path, columns: Columns, *, rejects_path: Path | None, dry_run: bool, decimal: str | None = None
) -> Iterator[Source]:
    """Open a file of this kind. Raises RefusedError, here or while its rows are read.

    A dry run writes rejected rows only where ``rejects_path`` says; the file appears when it is published. ``decimal``
    is "comma" or "point" for columns whose numbers could be read both ways.
    """
    if rejects_path is None and not dry_run:
        rejects_path = default_path(path)
    if rejects_path is not None:
        remove_former(rejects_path, path)
    with open_csv(path) as text:
        source = read(text, columns, lambda names: Rejects(rejects_path, names), decimal)
        try:
            yield source
        finally:
            source.rejects.discard()


def read(
    text: TextIO, columns: Columns, rejects: Callable[[Sequence[str]], Rejects], decimal: str | None = None
) -> Source:
    """Begin to read a text of this kind; ``rejects`` gets the names in its header. RefusedError as ``opened``."""
    layout, formats, found = read_table(text, columns, decimal)
    rejected = rejects(layout.names)
    rows = (row for row, _ in good_rows(found, layout, rejected.add))
    return Source(layout, formats, rows, rejected)


def read_table(text: TextIO, columns: Columns, decimal: str | None) -> tuple[Layout, list[str], Iterator[Record]]:
    """Read a text once for the formats of its numbers, and begin to read it again: the rows below its header, and how
    to read them, also as lines for staff. RefusedError as ``opened``."""
    layout, found = below_header(text, columns)
    layout, formats = in_formats(found, layout, decimal)
    text.seek(0)
    _, found = below_header(text, columns)
    return layout, formats, at_least_one(found)


def below_header(text: TextIO, columns: Columns) -> tuple[Layout, Iterator[Record]]:
    lines = Lines(text)
    layout = read_layout(header_line(lines), columns)
    return layout, records(lines, layout.delimiter)
