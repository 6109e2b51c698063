"""A CSV file that is being read: good rows as they come, and the others put aside."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from customers.bulk import Row
from customers.csv_import.columns import Columns, Layout, read_layout
from customers.csv_import.file import Lines, at_least_one, header_line, open_csv, records
from customers.csv_import.rejects import Rejects, default_path, remove_former
from customers.csv_import.rows import good_rows


@dataclass(frozen=True)
class Source:
    """``rows`` come once, their values in the order of ``layout.fields``; then ``rejects`` is complete."""

    layout: Layout
    rows: Iterator[Row]
    rejects: Rejects


@contextmanager
def opened(path: Path, columns: Columns, *, rejects_path: Path | None, dry_run: bool) -> Iterator[Source]:
    """Open a file of this kind. Raises RefusedError, here or while its rows are read.

    A dry run writes rejected rows only where ``rejects_path`` says; the file appears when it is published.
    """
    if rejects_path is None and not dry_run:
        rejects_path = default_path(path)
    if rejects_path is not None:
        remove_former(rejects_path, path)
    with open_csv(path) as text:
        source = read(text, columns, lambda names: Rejects(rejects_path, names))
        try:
            yield source
        finally:
            source.rejects.discard()


def read(text: TextIO, columns: Columns, rejects: Callable[[Sequence[str]], Rejects]) -> Source:
    """Begin to read a text of this kind; ``rejects`` is told the names in its header. RefusedError as ``opened``."""
    lines = Lines(text)
    layout = read_layout(header_line(lines), columns)
    put_aside = rejects(layout.names)
    found = at_least_one(records(lines, layout.delimiter))
    return Source(layout, good_rows(found, layout, put_aside.add), put_aside)
