"""Which number format each column of a file has: all its cells decide, the user does where they leave it open.

Why a column is refused rather than guessed: docs/decisions/0023-number-formats.md.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Any

from customers.import_export.csv_files.columns import Layout
from customers.import_export.csv_files.file import Record, RefusedError
from customers.import_export.csv_files.number_format import (
    COMMA,
    DECIMALS,
    INDIAN,
    NAMES,
    POINT,
    NumberFormat,
    Written,
    taken_apart,
)
from customers.ml_service.schema import BOUNDS, LABEL
from customers.models import LARGEST_CUSTOMER_ID

# The columns that hold numbers, and what can't be larger there: 42.000 is no age above a thousand.
LARGEST: Mapping[str, int | Decimal] = {
    "customer_id": LARGEST_CUSTOMER_ID,
    **{name: bounds.high for name, bounds in BOUNDS.items()},
    LABEL: 1,
    "left": 1,
}
# What has always meant the same: most cells of most files.
SIMPLE = re.compile(r"\d{1,30}(\.(\d{1,2}|\d{4,30})?)?", re.ASCII)
CHUNK_ROWS = 2000
# What a number says depends on where its zeros are, not on its other digits.
SHAPE = str.maketrans("12345678", "99999999")
REMEMBERED_SHAPES = 20_000
EXAMPLES = 3
REMEDY = (
    "write 1234.56, or give --decimal comma or --decimal point (in an upload, choose the decimal mark beside the file)."
)


@dataclass(frozen=True)
class Example:
    """A number as a cell has it, and the line. Numbers alone are quoted: no surname reaches a log."""

    cell: str
    line: int

    def __str__(self) -> str:
        return f"{self.cell} (line {self.line})"


@dataclass
class Evidence:
    """What the cells of a column say so far.

    ``says`` has the first number that only this decimal mark explains; ``is_open`` the first ones that both explain.
    """

    largest: int | Decimal
    is_money: bool
    says: dict[str, Example] = field(default_factory=dict)
    is_open: list[Example] = field(default_factory=list)
    currencies: dict[str, Example] = field(default_factory=dict)
    thousands: dict[str, set[str]] = field(default_factory=lambda: {POINT: set(), COMMA: set()})
    decimals: dict[str, set[int]] = field(default_factory=lambda: {POINT: set(), COMMA: set()})
    is_simple: bool = True
    known_shapes: set[str] = field(default_factory=set)

    def take_in(self, cell: str, line: int) -> None:
        """Take one more cell into account."""
        if len(self.known_shapes) < REMEMBERED_SHAPES:
            self.known_shapes.add(cell.translate(SHAPE))
        if SIMPLE.fullmatch(cell):
            if POINT in cell and re.search("[1-9]", cell):
                self._says(POINT, len(cell.partition(POINT)[2]), Example(cell, line))
            return
        written = taken_apart(cell)
        if written is None or not written.readings or (written.currency and not self.is_money):
            return
        self.is_simple = False
        if not written.is_zero:
            self._weigh(written, Example(cell, line))

    def _weigh(self, written: Written, example: Example) -> None:
        if written.currency:
            self.currencies.setdefault(written.currency, example)
        marks = written.marks(self.largest)
        for mark in marks:
            self.thousands[mark] |= {written.readings[mark].thousands} - {""}
        if len(marks) == 1:
            [mark] = marks
            self._says(mark, len(written.readings[mark].decimals), example)
        if written.is_open:
            self.known_shapes.discard(example.cell.translate(SHAPE))  # the bounds of the column look at its digits
            self.is_open += [example][: EXAMPLES - len(self.is_open)] if len(marks) > 1 else []

    def _says(self, mark: str, decimals: int, example: Example) -> None:
        self.says.setdefault(mark, example)
        if decimals:
            self.decimals[mark].add(decimals)

    def decide(self, name: str, wanted: str | None) -> NumberFormat:
        """The format of the column of this name; ``wanted`` is the user's decimal mark, for what the cells leave open.

        RefusedError says what the cells leave open.
        """
        if len(self.currencies) > 1:
            raise RefusedError(
                f"{name} mixes currencies: {joined(self.currencies.values())}. Convert them to one, without its sign."
            )
        if len(self.says) > 1 and wanted is None:
            comma, point = self.says[COMMA], self.says[POINT]
            raise RefusedError(f"{name} mixes decimal commas, {comma}, and decimal points, {point}; {REMEDY}")
        if not self.says and self.is_open and wanted is None:
            raise RefusedError(
                f"{name} is ambiguous: {joined(self.is_open)} may be thousands or have three decimals, "
                f"and no other number of the column shows which; {REMEDY}"
            )
        decimal = next(iter(self.says)) if len(self.says) == 1 else wanted or POINT
        return NumberFormat(decimal, self.largest, self.is_money, self.decimals[decimal] == {3} or decimal == wanted)

    def describe(self, name: str, decimal: str, wanted: str | None) -> str:
        """What staff should know of how the column was read; nothing when it is as ever."""
        marks = self.thousands[decimal]
        thousands = sorted(marks - {NAMES[COMMA]} if INDIAN in marks else marks)
        is_other = self.says and wanted not in (None, decimal)
        if decimal == POINT and not (thousands or self.currencies or self.is_open or is_other):
            return ""
        words = [f"decimal {NAMES[decimal]}"] if self.says or self.is_open else []
        words += [f"thousands by {' and '.join(thousands)}"] if thousands else []
        words += [f"in {code}" for code in self.currencies]
        return f"{name}: {', '.join(words)}" if words else ""


def joined(examples: Iterable[Example]) -> str:
    return ", ".join(map(str, examples))


def in_formats(found: Iterable[Record], layout: Layout, wanted: str | None) -> tuple[Layout, list[str]]:
    """The layout with checks that read each column in its format, and what staff should know of them.

    ``found`` are all rows of the file; ``wanted`` is "comma" or "point", for columns that leave it open. RefusedError
    names the columns that leave it open, or mix formats, with examples.
    """
    evidence = look_through(found, layout)
    mark = DECIMALS[wanted] if wanted else None
    formats = decided(evidence, layout, mark)
    notes = [evidence[name].describe(layout.spelled(name), it.decimal, mark) for name, it in formats.items()]
    unusual = {name: it for name, it in formats.items() if not evidence[name].is_simple}
    checks = {
        name: partial(in_format, unusual[name], check) if name in unusual else check
        for name, check in layout.columns.checks.items()
    }
    return replace(layout, columns=replace(layout.columns, checks=checks)), list(filter(None, notes))


def in_format(number_format: NumberFormat, check: Any, cell: str) -> Any:
    return check(number_format.plain(cell))


def look_through(found: Iterable[Record], layout: Layout) -> dict[str, Evidence]:
    evidence = {
        name: Evidence(LARGEST[name], name in BOUNDS and not BOUNDS[name].integral)
        for name in layout.fields
        if name in LARGEST
    }
    for lines, rows in in_chunks(found, layout):
        for name, it in evidence.items():
            position = layout.positions[name]
            look_at([cells[position] for cells in rows], lines, it)
    return evidence


def in_chunks(found: Iterable[Record], layout: Layout) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Lines and cells of the rows that are whole, some at a time: in one that lacks cells none stands in its place."""
    whole = (record for record in found if len(record[1]) == len(layout.names) or layout.has_all_cells(record[1]))
    while chunk := list(islice(whole, CHUNK_ROWS)):
        yield [line for line, _ in chunk], [cells for _, cells in chunk]


def look_at(cells: Sequence[str], lines: Sequence[int], evidence: Evidence) -> None:
    """Look at those cells of a column that may say something new. Most columns are digits alone, which say nothing."""
    text = "".join(cells)
    if text.isdigit() and text.isascii():
        return
    first_line = dict(zip(reversed(cells), reversed(lines), strict=True))
    for cell in dict.fromkeys(cells):
        bare = cell.strip()
        if bare.translate(SHAPE) not in evidence.known_shapes:
            evidence.take_in(bare, first_line[cell])


def decided(evidence: Mapping[str, Evidence], layout: Layout, wanted: str | None) -> dict[str, NumberFormat]:
    """The format of each column. One RefusedError for all that leave theirs open."""
    formats, refusals = {}, []
    for name, it in evidence.items():
        try:
            formats[name] = it.decide(layout.spelled(name), wanted)
        except RefusedError as error:
            refusals.append(str(error))
    if refusals:
        raise RefusedError(" ".join(refusals))
    return formats
