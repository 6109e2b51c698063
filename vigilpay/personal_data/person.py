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
    """``surname`` and ``external_id`` are those stored; empty where none is, or the customer has left the table."""

    customer_id: int
    surname: str
    external_id: str = ""

    @cached_property
    def _in_text(self) -> re.Pattern[str]:
        names = [rf"(?<!\d){self.customer_id}(?!\d)", *([rf"\b{re.escape(self.surname)}\b"] if self.surname else [])]
        return re.compile("|".join(names), re.IGNORECASE)

    def is_in_text(self, text: str) -> bool:
        """Whether the id stands there as a number of its own, or the surname as a word."""
        return self._in_text.search(text) is not None

    def is_in_row(self, cells: Sequence[str], positions: Mapping[str, int]) -> bool:
        """Whether a row of a file is about the customer; ``positions`` are those of ids and surname, as far as known.

        The surname counts where the row has no id of another customer; in a row of the wrong length every cell counts.
        """
        if max(positions.values()) >= len(cells):
            return any(is_it(cell) for cell in cells for is_it in (self.is_id, self.is_external_id, self.is_surname))
        row = {field: cells[position] for field, position in positions.items()}
        row_id, external_id = row.get("customer_id", ""), row.get("external_id", "")
        if self.is_id(row_id) or self.is_external_id(external_id):
            return True
        is_of_another = row_id.strip().isdecimal() or external_id.strip()
        return not is_of_another and self.is_surname(row.get("surname", ""))

    def is_id(self, cell: str) -> bool:
        """As the import reads an id: 5, 005, 5.0."""
        whole, _, rest = cell.strip().partition(".")
        return whole.isdecimal() and int(whole[:30]) == self.customer_id and not rest.strip("0")

    def is_external_id(self, cell: str) -> bool:
        return bool(self.external_id) and cell.strip() in (self.external_id, neutralised(self.external_id))

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
