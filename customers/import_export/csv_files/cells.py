"""One cell of a CSV file: a checked value, or the reason why not. Bounds and words are ``ml_service.schema``'s."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from django.utils import timezone

from customers.import_export.external_ids import EXTERNAL_ID
from customers.import_export.staging import NO_OBJECTION, OBJECTED_AT
from customers.ml_service.schema import BOUNDS, CATEGORIES, LONGEST_WORD, is_word
from customers.models import LARGEST_CUSTOMER_ID, POSSIBLE_TIMES, Customer

SURNAME_LENGTH = Customer._meta.get_field("surname").max_length or 0
EXTERNAL_ID_LENGTH = Customer._meta.get_field("external_id").max_length or 0

DIGITS = re.compile(r"\d{1,30}(\.0*)?", re.ASCII)
NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
# As databases and spreadsheets write a day, midnight behind it or not.
DAY = re.compile(r"(\d{4}-\d{2}-\d{2})([ T]00:00(:00(\.0+)?)?)?", re.ASCII)
NO_VALUE = frozenset({"", "?", "-", "na", "n/a", "#n/a", "none", "null"})
NAN = "nan"  # a missing word, as programs write it
NOT_A_NUMBER = frozenset({"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})
CENT = Decimal("0.01")
LOST_DIGITS = "is in scientific notation without all its digits: write 159660.80, not 1.6E+05"
# What 64-bit arithmetic leaves behind a sum of money; anything larger was meant.
FLOAT_NOISE = Decimal("0.000001")
# 0042 may be another customer than 42.
LEADING_ZERO = re.compile("0+[1-9]")
LETTER = re.compile(r"[^\W\d_]")
NO_ID = (
    "must be a whole number without leading zeros; map the column to external_id to keep identifiers "
    "with letters or leading zeros"
)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
YES_NO = {"true": True, "yes": True, "t": True, "y": True, "false": False, "no": False, "f": False, "n": False}
INITIALS = {"Female": ("F",), "Male": ("M",)}  # understood as these words
NO_ALIASES: Mapping[str, str] = MappingProxyType({})
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class CellError(ValueError):
    """A cell that can't be loaded. The message never quotes the cell: it may stand in a log."""


def check_id(cell: str) -> int:
    """A whole number from 1 on. Not in scientific notation: a spreadsheet has cut the digits off then."""
    refuse_no_value(cell)
    if LEADING_ZERO.match(cell) or (LETTER.search(cell) and not NUMBER.fullmatch(cell)):
        raise CellError(NO_ID)
    if not DIGITS.fullmatch(cell):
        raise CellError("must be a whole positive number")
    customer_id = int(cell.partition(".")[0])
    if not 1 <= customer_id <= LARGEST_CUSTOMER_ID:
        raise CellError(f"must be a whole number from 1 to {LARGEST_CUSTOMER_ID}")
    return customer_id


def check_surname(cell: str) -> str:
    return check_text(cell, SURNAME_LENGTH)


def check_external_id(cell: str) -> str:
    refuse_no_value(cell)
    external_id = check_text(cell, EXTERNAL_ID_LENGTH)
    if CONTROL.search(external_id):
        raise CellError("contains control characters")
    return external_id


def check_text(cell: str, most: int) -> str:
    text = not_neutralised(cell)
    if "\0" in text:
        raise CellError("contains a NUL character")
    if len(text) > most:
        raise CellError(f"is longer than {most} characters")
    return text


def check_word(
    field: str, known: Collection[str] = (), aliases: Mapping[str, str] = NO_ALIASES
) -> Callable[[str], str]:
    """A word of the bank's own: that which an alias means, a known word whatever its capitals, or as it is written.

    ``known`` are the words of the active model; the public table's are known anyway.
    """
    public = {spelling: word for word in CATEGORIES[field] for spelling in (word, *INITIALS.get(word, ()))}
    words = {folded(spelling): word for spelling, word in {**public, **{word: word for word in known}}.items()}
    meant = {folded(written): word for written, word in aliases.items()}

    def check(cell: str) -> str:
        key = folded(cell)
        if key in meant:
            return meant[key]
        refuse_no_value("" if key == NAN else cell)
        word = " ".join(not_neutralised(cell).split())
        if word not in known:
            word = words.get(key, word)
        if not is_word(word):
            raise CellError(f"must be a word of at most {LONGEST_WORD} characters, without control characters")
        return word

    return check


def folded(word: str) -> str:
    """A word without what people spell differently: capitals, and spaces around it or doubled."""
    return " ".join(word.casefold().split())


def check_whole(field: str) -> Callable[[str], int]:
    low, high, _ = BOUNDS[field]
    expected = f"must be a whole number from {low} to {high}"

    def check(cell: str) -> int:
        value = number(cell)
        if not low <= value <= high or value != value.to_integral_value():
            raise CellError(expected)
        return int(value)

    return check


def check_flag(cell: str) -> bool:
    refuse_no_value(cell)
    word = YES_NO.get(cell.casefold())
    if word is not None:
        return word
    if not NUMBER.fullmatch(cell) or number(cell) not in (0, 1):
        raise CellError("must be yes or no, 1 or 0")
    return number(cell) == 1


def check_past_day(cell: str) -> date:
    """A day up to today."""
    refuse_no_value(cell)
    found = DAY.fullmatch(cell)
    try:
        day = date.fromisoformat(found[1] if found else "")
    except ValueError:
        raise CellError("must be a day such as 2026-03-31") from None
    if day > timezone.localdate():
        raise CellError("is in the future")
    return day


def check_objection(cell: str) -> datetime | str | None:
    """Yes, from now on, or since a day or a time up to now; no; and nothing, which leaves it as it is."""
    if cell.casefold() in NO_VALUE:
        return None
    try:
        objects = check_flag(cell)
    except CellError:
        return past_moment(cell)
    return timezone.now() if objects else NO_OBJECTION


def past_moment(cell: str) -> datetime:
    """A day, from midnight on, or a time of one; without a zone, the zone of this installation."""
    try:
        found = datetime.fromisoformat(cell)
    except ValueError:
        raise CellError("must be yes or no, 1 or 0, a day such as 2026-03-31 or a time of one") from None
    moment = found if found.tzinfo else timezone.make_aware(found)
    if moment > timezone.now():
        raise CellError("is in the future")
    if moment < POSSIBLE_TIMES[0]:
        raise CellError("is too far in the past: write no where there is no objection")
    return moment


def check_money(field: str) -> Callable[[str], Decimal]:
    low, high, _ = BOUNDS[field]

    def check(cell: str) -> Decimal:
        value = number(cell, decimals=2)
        if not low <= value <= high:
            raise CellError(f"must be from {low} to {high}")
        cents = value.quantize(CENT)
        if abs(cents - value) > FLOAT_NOISE:
            raise CellError("has more than two decimals")
        return cents

    return check


def number(cell: str, *, decimals: int = 0) -> Decimal:
    """A finite number. In scientific notation it must give all digits, up to so many decimals."""
    refuse_no_value(cell)
    if cell.casefold() in NOT_A_NUMBER:
        raise CellError("is not a finite number")
    if not NUMBER.fullmatch(cell):
        raise CellError("is not a number")
    value = Decimal(cell)
    if "e" in cell.casefold() and value and int(value.as_tuple().exponent) > -decimals:
        raise CellError(LOST_DIGITS)
    return value


def refuse_no_value(cell: str) -> None:
    if cell.casefold() in NO_VALUE:
        raise CellError("has no value")


CHECKS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "customer_id": check_id,
        EXTERNAL_ID: check_external_id,
        "surname": check_surname,
        "credit_score": check_whole("credit_score"),
        "geography": check_word("geography"),
        "gender": check_word("gender"),
        "age": check_whole("age"),
        "tenure": check_whole("tenure"),
        "balance": check_money("balance"),
        "num_of_products": check_whole("num_of_products"),
        "has_cr_card": check_flag,
        "is_active_member": check_flag,
        OBJECTED_AT: check_objection,
    }
)


# --- spreadsheets -----------------------------------------------------------------------------------------------------


def neutralised(cell: str) -> str:
    """The cell as a spreadsheet will not take it for a formula. Numbers stay as they are."""
    if cell.lstrip(" ").startswith(FORMULA_STARTS) and not NUMBER.fullmatch(cell.strip()):
        return f"'{cell}"
    return cell


def not_neutralised(cell: str) -> str:
    """Undo ``neutralised``, so that an exported or a mended rejects file can be loaded."""
    return cell[1:] if cell.startswith("'") and neutralised(cell[1:]) == cell else cell
