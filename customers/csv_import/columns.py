"""Which column of a CSV file holds what: header spellings, delimiters, and what a header must have."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from customers.bulk import STORED
from customers.csv_import.file import RefusedError
from customers.ml_service.schema import BANK_SPELLING, FEATURES, LABEL

DELIMITERS = (",", ";", "\t", "|")
REQUIRED = ("customer_id", *FEATURES)

BANKS_NAMES = {"customer_id": "CustomerId", "surname": "Surname", LABEL: "Exited"}
BANKS_NAMES |= {ours: bank for bank, ours in BANK_SPELLING.items()}

# Other names seen in the wild; the bank's spelling and ours are recognised anyway. Capitals, spaces and _ don't count.
ALIASES = {
    "customer_id": ("customer number", "customer no", "cust id", "client id"),
    "surname": ("last name", "family name"),
    "geography": ("country",),
    "gender": ("sex",),
    "balance": ("account balance",),
    "num_of_products": ("products number", "number of products", "num products", "products"),
    "has_cr_card": ("credit card", "has credit card"),
    "is_active_member": ("active member", "is active", "active"),
    LABEL: ("churn", "churned"),
}
CONFLICT_MARKERS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")


def plain(name: str) -> str:
    """A column name without what people spell differently."""
    return re.sub(r"[\W_]+", "", name).casefold()


FIELD_OF = {
    plain(name): field
    for field in (*STORED, LABEL)
    for name in (field, BANKS_NAMES[field], *ALIASES.get(field, ()))
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """The columns of one file: how it spells them, and at which position each field stands that is read from it."""

    delimiter: str
    names: tuple[str, ...]
    positions: dict[str, int]

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.positions)

    @property
    def ignored(self) -> list[str]:
        """Columns that are not read, as a person would name them."""
        return [name for name, _ in self.beside(self.fields)]

    def beside(self, fields: Sequence[str]) -> list[tuple[str, int]]:
        """The columns that hold none of these fields, as a person would name them, and their positions."""
        used = {self.positions[field] for field in fields}
        return [(name or f"column {i + 1} (no name)", i) for i, name in enumerate(self.names) if i not in used]

    def spelled(self, field: str) -> str:
        return self.names[self.positions[field]]


def read_layout(header: str, wanted: Sequence[str] = STORED, required: Sequence[str] = REQUIRED) -> Layout:
    """Find delimiter and columns in the header line; the wanted fields come in that order.

    RefusedError names what is missing or there twice.
    """
    refuse_conflict_marker(header, line=1)
    delimiter, names = split_header(header)
    found = [(FIELD_OF[plain(name)], i) for i, name in enumerate(names) if FIELD_OF.get(plain(name)) in wanted]
    refuse_duplicates([field for field, _ in found], names)
    refuse_missing({field for field, _ in found}, required)
    order = sorted(found, key=lambda pair: wanted.index(pair[0]))
    return Layout(delimiter=delimiter, names=tuple(names), positions=dict(order))


def split_header(header: str) -> tuple[str, list[str]]:
    """The delimiter that makes the most known columns of the header, and the header's names by it."""
    candidates = [(delimiter, cells_of(header, delimiter)) for delimiter in DELIMITERS]
    return max(candidates, key=lambda candidate: (count_known(candidate[1]), len(candidate[1])))


def cells_of(line: str, delimiter: str) -> list[str]:
    try:
        [cells] = csv.reader([line.rstrip("\r\n")], delimiter=delimiter, skipinitialspace=True)
    except (csv.Error, ValueError):
        return []
    return [cell.strip() for cell in cells]


def count_known(cells: Sequence[str]) -> int:
    return sum(plain(cell) in FIELD_OF for cell in cells)


def refuse_duplicates(fields: Sequence[str], names: Sequence[str]) -> None:
    for field in fields:
        if fields.count(field) > 1:
            spellings = " and ".join(name for name in names if FIELD_OF.get(plain(name)) == field)
            raise RefusedError(f"Several columns hold the same: {spellings}. Keep one.")


def refuse_missing(found: set[str], required: Sequence[str]) -> None:
    missing = [BANKS_NAMES[field] for field in required if field not in found]
    if missing:
        columns = "column" if len(missing) == 1 else "columns"
        raise RefusedError(f"The header (the first line) lacks the {columns} {', '.join(missing)}.")


def refuse_foreign_line(cells: Sequence[str], line: int) -> None:
    """Refuse what shows that the file was put together wrongly: a merge conflict, or one more header."""
    refuse_conflict_marker(cells[0], line)
    if count_known(cells) >= len(REQUIRED) / 2:
        raise RefusedError(f"Row {line} is a second header; were several files joined into one?")


def refuse_conflict_marker(text: str, line: int) -> None:
    if text.startswith(CONFLICT_MARKERS):
        raise RefusedError(f"Row {line} is the mark of an unresolved merge conflict ({text[:7]}).")
