"""The rejected rows of an upload: counted, and written to a file without a name."""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

from customers.import_export.csv_files.rejects import Rejects, header_of, line_of
from customers.import_export.csv_files.rows import Rejected

FIRST_SHOWN = 20


class SpooledRejects(Rejects):
    """Writes the rows to this file as ``Rejects`` does to its own, and remembers the reasons of the first."""

    def __init__(self, file: IO[str], names: Sequence[str]) -> None:
        super().__init__(None, names)
        self.first: list[str] = []
        self._lines = csv.writer(file, lineterminator="\n")
        self._lines.writerow(header_of(names))

    def add(self, rejected: Rejected) -> None:
        super().add(rejected)
        self._lines.writerow(line_of(rejected))
        if len(self.first) < FIRST_SHOWN:
            reasons = "; ".join(f"{fault.column or 'the row'} {fault}" for fault in rejected.faults)
            self.first.append(f"Line {rejected.row_number}: {reasons}")


@contextmanager
def spool() -> Iterator[tuple[IO[str], IO[bytes]]]:
    """A temporary file as text to write, and as the bytes that came of it once the text was flushed."""
    with TemporaryFile() as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            yield text, file
        finally:
            text.detach()
