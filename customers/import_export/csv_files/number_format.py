"""How numbers are written: decimal mark, marks between thousands, sign and currency."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType

from customers.import_export.csv_files.cells import CellError, not_neutralised

POINT, COMMA = ".", ","
DECIMALS: Mapping[str, str] = MappingProxyType({"point": POINT, "comma": COMMA})
NO_MARKS = str.maketrans("", "", POINT + COMMA)
NAMES = {mark: name for name, mark in DECIMALS.items()}
# Without and with a fixed width, narrow and thin, as spreadsheets and locales put them between thousands.
SPACES = " \u00a0\u2007\u2009\u202f"
APOSTROPHES = "'\u2018\u2019\u02bc"

CODES = ("EUR", "CHF", "GBP", "USD", "INR", "AUD", "CAD", "CZK", "DKK", "HUF", "JPY", "NOK", "PLN", "RON", "SEK", "TRY")
SIGNS = {"€": "EUR", "$": "USD", "us$": "USD", "£": "GBP", "₹": "INR", "rs.": "INR", "rs": "INR", "¥": "JPY"}
SIGNS |= {"fr.": "CHF", "fr": "CHF", "sfr.": "CHF", "zł": "PLN", "kč": "CZK", "kr.": "kr", "kr": "kr", "₺": "TRY"}
CURRENCIES = SIGNS | {code.casefold(): code for code in CODES}

_CURRENCY = "|".join(re.escape(name) for name in sorted(CURRENCIES, key=len, reverse=True))
_GAP = f"[{SPACES}]*"
_BODY = rf"[.,]?\d(?:[.,{APOSTROPHES}{SPACES}]?\d)*[.,]?"
WRITTEN = re.compile(
    rf"([+\-\u2212])?{_GAP}({_CURRENCY})?{_GAP}([+\-\u2212])?{_GAP}"
    rf"(?P<body>{_BODY})(?P<exponent>e[+-]?\d{{1,3}})?"
    rf"{_GAP}({_CURRENCY})?{_GAP}((?<![.,])[\-\u2212])?{_GAP}({_CURRENCY})?",
    re.ASCII | re.IGNORECASE,
)
# Accounts write negative amounts so, the currency inside or outside.
IN_PARENTHESES = re.compile(r"([^\d()]*)\(([^()]*)\)([^\d()]*)")


def body_with(decimal: str, thousands: str, lakhs: str = "") -> re.Pattern[str]:
    """A number with this decimal mark: digits, or groups of three between which stands always the same mark."""
    groups = rf"[1-9]\d{{0,2}}(?P<mark>[{thousands}{APOSTROPHES}{SPACES}])\d{{3}}(?:(?P=mark)\d{{3}})*"
    return re.compile(
        rf"(?P<whole>\d{{1,30}}|{groups}{lakhs})(?:\{decimal}(?P<decimals>\d{{0,30}}))?|\{decimal}(?P<alone>\d{{1,30}})",
        re.ASCII,
    )


INDIAN = "comma in Indian groups"
# Indian groups (1,25,000.00) go with a decimal point only.
AS = {POINT: body_with(POINT, COMMA, r"|(?P<lakhs>[1-9]\d?(?:,\d{2})+,\d{3})"), COMMA: body_with(COMMA, POINT)}


@dataclass(frozen=True)
class Reading:
    """A number as one decimal mark explains it. ``thousands`` names what stands between thousands."""

    whole: str
    decimals: str
    thousands: str


@dataclass(frozen=True)
class Written:
    """A number as it stands in a cell, taken apart. What its marks mean is not decided yet."""

    is_negative: bool
    body: str
    exponent: str
    currency: str

    @property
    def is_zero(self) -> bool:
        return bool(self.readings) and not re.search("[1-9]", self.body)

    @cached_property
    def readings(self) -> Mapping[str, Reading]:
        """By decimal mark, those that can explain the number: none, one or both."""
        readings = {mark: reading_of(match) for mark, form in AS.items() if (match := form.fullmatch(self.body))}
        return {mark: it for mark, it in readings.items() if not (self.exponent and it.thousands)}

    @property
    def is_open(self) -> bool:
        """Whether a point or a comma in it may be either: 1.234 and 83,800."""
        return len(self.readings) == len(AS) and (POINT in self.body or COMMA in self.body)

    def marks(self, largest: int | Decimal) -> list[str]:
        """The decimal marks that explain it; thousands only where that is no larger than what can be."""
        if not self.is_open:
            return list(self.readings)
        return [mark for mark in self.readings if mark in self.body or Decimal(self.plain(mark)).copy_abs() <= largest]

    def plain(self, decimal: str) -> str:
        """As Python writes it."""
        reading = self.readings[decimal]
        decimals = f".{reading.decimals}" if reading.decimals else ""
        return f"{'-' * self.is_negative}{reading.whole}{decimals}{self.exponent}"


def reading_of(match: re.Match[str]) -> Reading:
    found = match.groupdict()
    whole, decimals = found["whole"] or "0", found["decimals"] or found["alone"] or ""
    mark = found["mark"] or ""
    name = NAMES.get(mark) or (mark and ("space" if mark in SPACES else "apostrophe"))
    return Reading(re.sub(r"\D", "", whole), decimals, INDIAN if found.get("lakhs") else name)


def taken_apart(cell: str) -> Written | None:
    """None when the cell does not look like a number."""
    cell = not_neutralised(cell)
    bare = IN_PARENTHESES.sub(r"\1\2\3", cell, count=1)
    match = WRITTEN.fullmatch(bare)
    if match is None:
        return None
    before, currency, inside, body, exponent, behind, after, last = match.groups()
    signs = [sign for sign in (before, inside, after, "-" if bare != cell else None) if sign]
    currencies = [name for name in (currency, behind, last) if name]
    if len(signs) > 1 or len(currencies) > 1:
        return None
    code = CURRENCIES[currencies[0].casefold()] if currencies else ""
    return Written(signs not in ([], ["+"]), body, exponent or "", code)


@dataclass(frozen=True)
class NumberFormat:
    """How one column writes its numbers. None is above ``largest``.

    ``has_three_decimals``: whether 1.234 with the decimal mark is a number with three decimals; else it is refused.
    """

    decimal: str
    largest: int | Decimal
    is_money: bool
    has_three_decimals: bool = False

    @cached_property
    def _usual(self) -> re.Pattern[str]:
        """What most cells look like; a short cut."""
        other = COMMA if self.decimal == POINT else POINT
        return re.compile(rf"(?:\d{{1,30}}|[1-9]\d{{0,2}}(?:\{other}\d{{3}})+)\{self.decimal}\d{{1,2}}", re.ASCII)

    def plain(self, cell: str) -> str:
        """The number as Python writes it; the cell itself when it is none. CellError when it does not fit."""
        if self._usual.fullmatch(cell):
            whole, _, decimals = cell.rpartition(self.decimal)
            return f"{whole.translate(NO_MARKS)}.{decimals}"
        written = taken_apart(cell)
        if written is None or not written.readings or (written.currency and not self.is_money):
            return cell
        if written.is_zero:
            return "0"
        marks = written.marks(self.largest)
        if self.decimal not in marks:
            raise CellError(f"is not a number with a decimal {NAMES[self.decimal]}")
        if written.is_open and len(marks) > 1 and self.decimal in written.body and not self.has_three_decimals:
            raise CellError("may have thousands or three decimals: write 1234.56, or give --decimal")
        return written.plain(self.decimal)
