"""Which column of a CSV file holds what: header spellings, delimiters, and what a header must have."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from customers.import_export.csv_files.cells import CHECKS
from customers.import_export.csv_files.file import RefusedError
from customers.import_export.external_ids import EXTERNAL_ID
from customers.import_export.staging import OBJECTED_AT, STORED
from customers.ml_service.names import BANKS_NAMES as BANKS_NAMES
from customers.ml_service.names import plain, plain_names, spellings
from customers.ml_service.schema import FEATURES, LABEL

DELIMITERS = (",", ";", "\t", "|")

MAPPING_HINT = " If the file uses other column names, add a mapping such as Kontostand=balance."

CONFLICT_MARKERS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")


@dataclass(frozen=True)
class Columns:
    """What one kind of file holds: its fields in their order, the customer's id first, and what checks their cells.

    Of the names of a field the first is the one that messages use. ``mapped`` says which field a column of another name
    holds: it counts alone for that field. Of ``keys``, by which customers are known, a file needs one if any is
    required; where it has two, a row needs one.
    """

    names: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]
    checks: Mapping[str, Callable[[str], Any]]
    keys: tuple[str, ...] = ("customer_id",)
    mapped: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.names)

    @cached_property
    def field_of(self) -> Mapping[str, str]:
        """Which field a plain name means."""
        fields = set(self.mapped.values())
        by_name = plain_names({name: names for name, names in self.names.items() if name not in fields})
        return by_name | {plain(column): name for column, name in self.mapped.items()}


OBJECTED_NAMES = ("ObjectedAt", OBJECTED_AT, "objected", "objection", "objected on", "objects")
EXTERNAL_NAMES = ("ExternalId", EXTERNAL_ID, "external reference", "external number")

CUSTOMERS = Columns(
    names={
        "customer_id": spellings("customer_id"),
        EXTERNAL_ID: EXTERNAL_NAMES,
        **{name: spellings(name) for name in STORED[1:]},
        OBJECTED_AT: OBJECTED_NAMES,
    },
    required=("customer_id", *FEATURES),
    checks=CHECKS,
    keys=("customer_id", EXTERNAL_ID),
)


@dataclass(frozen=True)
class Layout:
    """The columns of one file: how it spells them, and at which position each field stands that is read from it."""

    columns: Columns
    delimiter: str
    names: tuple[str, ...]
    positions: dict[str, int]

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.positions)

    @property
    def keys(self) -> tuple[str, ...]:
        """By which of its fields the file knows customers."""
        return tuple(name for name in self.fields if name in self.columns.keys)

    @property
    def ignored(self) -> list[str]:
        """Columns that are not read, as staff would name them."""
        return [name for name, _ in self.beside(self.fields)]

    def beside(self, fields: Sequence[str]) -> list[tuple[str, int]]:
        """The columns that hold none of these fields, as staff would name them, and their positions."""
        used = {self.positions[field] for field in fields}
        return [(name or f"column {i + 1} (no name)", i) for i, name in enumerate(self.names) if i not in used]

    def spelled(self, field: str) -> str:
        return self.names[self.positions[field]]

    def has_all_cells(self, cells: Sequence[str]) -> bool:
        """Whether a row has a cell for each column, and nothing behind them."""
        return len(cells) >= len(self.names) and not any(map(str.strip, cells[len(self.names) :]))


def read_layout(header: str, columns: Columns = CUSTOMERS) -> Layout:
    """Find delimiter and columns in the header line. RefusedError names what is missing or there twice."""
    refuse_conflict_marker(header, line=1)
    # The delimiter that makes the most known columns of the header, and the names by it.
    candidates = [(delimiter, cells_of(header, delimiter)) for delimiter in DELIMITERS]
    delimiter, names = max(candidates, key=lambda it: (count_known(it[1], columns), len(it[1])))
    found = [(columns.field_of[plain(name)], i) for i, name in enumerate(names) if plain(name) in columns.field_of]
    refuse_unknown_columns(names, columns)
    refuse_duplicates([name for name, _ in found], names, columns)
    refuse_missing({name for name, _ in found}, names, columns)
    order = sorted(found, key=lambda pair: columns.fields.index(pair[0]))
    return Layout(columns, delimiter, tuple(names), dict(order))


def cells_of(line: str, delimiter: str) -> list[str]:
    try:
        [cells] = csv.reader([line.rstrip("\r\n")], delimiter=delimiter, skipinitialspace=True)
    except (csv.Error, ValueError):
        return []
    return [cell.strip() for cell in cells]


def count_known(cells: Sequence[str], columns: Columns) -> int:
    return sum(plain(cell) in columns.field_of for cell in cells)


def refuse_unknown_columns(names: Sequence[str], columns: Columns) -> None:
    """A mapping is of files that have its columns: without one, the file is another than was meant."""
    present = set(map(plain, names))
    for column, name in columns.mapped.items():
        if plain(column) not in present:
            there = ", ".join(filter(None, names))
            raise RefusedError(f"The file has no column {column}, which is mapped to {name}. Its columns are {there}.")


def refuse_duplicates(fields: Sequence[str], names: Sequence[str], columns: Columns) -> None:
    for name in columns.fields:
        if fields.count(name) > 1:
            spellings = " and ".join(column for column in names if columns.field_of.get(plain(column)) == name)
            raise RefusedError(f"Several columns hold the same: {spellings}. Keep one.")


def refuse_missing(found: set[str], names: Sequence[str], columns: Columns) -> None:
    is_known = not found.isdisjoint(columns.keys)
    missing = [name for name in columns.required if name not in found and not (is_known and name in columns.keys)]
    if missing:
        noun = "column" if len(missing) == 1 else "columns"
        called = ", ".join(columns.names[name][0] for name in missing)
        hint = label_hint(names, columns) if missing == [LABEL] else MAPPING_HINT
        raise RefusedError(f"The header (the first line) lacks the {noun} {called}.{hint}")


def label_hint(names: Sequence[str], columns: Columns) -> str:
    """What to do where no column is known to tell who left: it has more names than any other."""
    others = [name for name in names if name and plain(name) not in columns.field_of]
    among = f"; not known are {', '.join(others)}" if others else ""
    return f" Rename or map the column that tells who left (1) and who stayed (0) to {columns.names[LABEL][0]}{among}."


def refuse_foreign_line(cells: Sequence[str], line: int, columns: Columns) -> None:
    """Refuse what shows that the file was put together wrongly: a merge conflict, or one more header."""
    refuse_conflict_marker(cells[0], line)
    # One alone may be a word of an ignored column.
    if count_known(cells, columns) >= max(2, len(columns.required) / 2):
        raise RefusedError(f"Row {line} is a second header; were several files joined into one?")


def refuse_conflict_marker(text: str, line: int) -> None:
    if text.startswith(CONFLICT_MARKERS):
        raise RefusedError(f"Row {line} is the mark of an unresolved merge conflict ({text[:7]}).")
