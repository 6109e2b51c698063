"""One row of a CSV file: checked values, or the reasons why not."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from customers.import_export.csv_files.cells import CellError
from customers.import_export.csv_files.columns import Layout, refuse_foreign_line
from customers.import_export.csv_files.file import Record
from customers.import_export.staging import Row

REPEATED = "repeats the customer of an earlier row, which was taken"
# Enough for every value of every column but balance, whose memory is bounded by it.
REMEMBERED_CELLS = 20_000


@dataclass(frozen=True)
class Fault:
    """Why a row was rejected: the column as the file spells it, the reason, and what differs from row to row."""

    column: str
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


@dataclass(frozen=True)
class Rejected:
    row_number: int
    faults: list[Fault]
    cells: list[str]


class Remembering(dict[str, Any]):
    """Checked values by cell: files repeat few values very often. Bad cells are not remembered."""

    def __init__(self, check: Callable[[str], Any]) -> None:
        super().__init__()
        self._check = check

    def __missing__(self, cell: str) -> Any:
        value = self._check(cell.strip())
        if len(self) < REMEMBERED_CELLS:
            self[cell] = value
        return value


class RowChecker:
    """Turns the records of one file into rows in the order of ``layout.fields``; of a repeated id the first row wins.

    A file without ids has no repeated ones. Holds one entry per row of the file, some 100 bytes, to be able to name the
    row that won.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._pick = itemgetter(*layout.positions.values())
        self._checks = [Remembering(layout.columns.checks[field]) for field in layout.fields]
        self._has_ids = layout.fields[0] == layout.columns.fields[0]
        self._row_of: dict[int, int] = {}

    def check(self, record: Record) -> Row | Rejected:
        row_number, cells = record
        try:
            if len(cells) != len(self._layout.names):
                if not self._layout.has_all_cells(cells):
                    raise CellError
                cells = cells[: len(self._layout.names)]
            row = tuple([remembered[cell] for remembered, cell in zip(self._checks, self._pick(cells), strict=True)])
        except CellError:
            return self._reject(row_number, cells)
        if not self._has_ids:
            return row
        first = self._row_of.setdefault(row[0], row_number)
        if first == row_number:
            return row
        return Rejected(
            row_number, [Fault(self._layout.spelled(self._layout.fields[0]), REPEATED, f"row {first}")], cells
        )

    def _reject(self, row_number: int, cells: list[str]) -> Rejected:
        refuse_foreign_line(cells, row_number, self._layout.columns)
        width = len(self._layout.names)
        if len(cells) != width:
            are_split = len(cells) > width and self._layout.delimiter == ","
            detail = f"it has {len(cells)}{'; a number with a comma needs quotes around it' * are_split}"
            return Rejected(row_number, [Fault("", f"does not have {width} cells as the header has", detail)], cells)
        return Rejected(row_number, list(self._faults(cells)), cells)

    def _faults(self, cells: list[str]) -> Iterator[Fault]:
        for field, position in self._layout.positions.items():
            try:
                self._layout.columns.checks[field](cells[position].strip())
            except CellError as error:
                yield Fault(self._layout.names[position], str(error))


def good_rows(
    records: Iterable[Record], layout: Layout, reject: Callable[[Rejected], None]
) -> Iterator[tuple[Row, list[str]]]:
    """Yield the rows that can be loaded, each with all cells that it was read from; hand the others to ``reject``."""
    checker = RowChecker(layout)
    for record in records:
        checked = checker.check(record)
        if isinstance(checked, Rejected):
            reject(checked)
        else:
            yield checked, record[1]
