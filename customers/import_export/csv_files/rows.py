"""One row of a CSV file: checked values, or the reasons why not."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from customers.import_export.csv_files.cells import NO_VALUE, CellError
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
    """Turns the records of one file into rows in the order of ``layout.fields``; of a repeated customer the first wins.

    A file without ids has no repeated ones. Holds an entry per row and key of the file, some 100 bytes, to be able to
    name the row that won.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._pick = itemgetter(*layout.positions.values())
        # Of two keys a row may lack one.
        checks = layout.columns.checks
        optional = {name: partial(or_nothing, checks[name]) for name in layout.keys if len(layout.keys) > 1}
        self._checks = {name: optional.get(name, checks[name]) for name in layout.fields}
        self._remembered = [Remembering(check) for check in self._checks.values()]
        self._keys: list[tuple[int, dict[Any, int]]] = [(layout.fields.index(name), {}) for name in layout.keys]

    def check(self, record: Record) -> Row | Rejected:
        row_number, cells = record
        try:
            if len(cells) != len(self._layout.names):
                if not self._layout.has_all_cells(cells):
                    raise CellError
                cells = cells[: len(self._layout.names)]
            row = tuple(
                [remembered[cell] for remembered, cell in zip(self._remembered, self._pick(cells), strict=True)]
            )
        except CellError:
            return self._reject(row_number, cells)
        fault = self._fault_of_keys(row, row_number)
        return Rejected(row_number, [fault], cells) if fault else row

    def _fault_of_keys(self, row: Row, row_number: int) -> Fault | None:
        """Whether no key, or one of an earlier row, says who the customer is; else they are this row's from now on."""
        given = [(place, seen, row[place]) for place, seen in self._keys if row[place] is not None]
        if self._keys and not given:
            return Fault(" and ".join(map(self._layout.spelled, self._layout.keys)), "have no value")
        for place, seen, key in given:
            if key in seen:
                return Fault(self._layout.spelled(self._layout.fields[place]), REPEATED, f"row {seen[key]}")
        for _, seen, key in given:
            seen[key] = row_number
        return None

    def _reject(self, row_number: int, cells: list[str]) -> Rejected:
        refuse_foreign_line(cells, row_number, self._layout.columns)
        width = len(self._layout.names)
        if len(cells) != width:
            are_split = len(cells) > width and self._layout.delimiter == ","
            detail = f"it has {len(cells)}{'; a number with a comma needs quotes around it' * are_split}"
            return Rejected(row_number, [Fault("", f"does not have {width} cells as the header has", detail)], cells)
        return Rejected(row_number, list(self._faults(cells)), cells)

    def _faults(self, cells: list[str]) -> Iterator[Fault]:
        for name, position in self._layout.positions.items():
            try:
                self._checks[name](cells[position].strip())
            except CellError as error:
                yield Fault(self._layout.names[position], str(error))


def or_nothing(check: Callable[[str], Any], cell: str) -> Any:
    """What the check says of the cell; None of one without a value."""
    return None if cell.casefold() in NO_VALUE else check(cell)


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
