"""The customer whom a request is about, and how to know one in text that names customers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from django.utils.crypto import salted_hmac

from customers.import_export.csv_files.cells import neutralised

SALT = "vigilpay.personal_data.erased"


@dataclass(frozen=True)
class Person:
    """``surname`` is the one stored; empty where none is, or where the customer has left the table."""

    customer_id: int
    surname: str

    @cached_property
    def _in_text(self) -> re.Pattern[str]:
        names = [rf"(?<!\d){self.customer_id}(?!\d)", *([rf"\b{re.escape(self.surname)}\b"] if self.surname else [])]
        return re.compile("|".join(names), re.IGNORECASE)

    def is_in_text(self, text: str) -> bool:
        """Whether the id stands there as a number of its own, or the surname as a word."""
        return self._in_text.search(text) is not None

    def is_in_row(self, cells: Sequence[str], positions: Mapping[str, int]) -> bool:
        """Whether a row of a file is about the customer; ``positions`` are those of the id and of the surname.

        The surname counts where the row has no id of another customer; in a row of the wrong length every cell counts.
        """
        if max(positions.values()) >= len(cells):
            return any(map(self.is_id, cells)) or any(map(self.is_surname, cells))
        row_id = cells[positions["customer_id"]]
        has_surname = "surname" in positions and self.is_surname(cells[positions["surname"]])
        return self.is_id(row_id) or (has_surname and not row_id.strip().isdecimal())

    def is_id(self, cell: str) -> bool:
        """As the import reads an id: 5, 005, 5.0."""
        whole, _, rest = cell.strip().partition(".")
        return whole.isdecimal() and int(whole[:30]) == self.customer_id and not rest.strip("0")

    def is_surname(self, cell: str) -> bool:
        shown = cell.strip().casefold()
        return bool(self.surname) and shown in (self.surname.casefold(), neutralised(self.surname).casefold())


def keyed_hash(customer_id: int) -> str:
    """HMAC-SHA256 of the id by a key made of SECRET_KEY, 64 hexadecimal digits: without the key no id can be tried."""
    return keyed_hashes(customer_id)[0]


def keyed_hashes(customer_id: int) -> list[str]:
    """The hash by the present key, then those by former keys that are still accepted."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [salted_hmac(SALT, str(customer_id), secret=key, algorithm="sha256").hexdigest() for key in keys]
