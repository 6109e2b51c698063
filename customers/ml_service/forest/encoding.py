"""Customer values to the model's numbers: checked, label-encoded, cast to float32 as scikit-learn does."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Any, NoReturn, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.errors import InputError, UnknownWordError
from customers.ml_service.schema import (
    BOUNDS,
    FEATURES,
    GENDERS,
    GEOGRAPHIES,
    LIMITS,
    LONGEST_WORD,
    WORD_FIELDS,
    is_word,
)

from .rounding import Floats, Roundings

Row = Sequence[Any]
Matrix = NDArray[np.float32]
_Given = TypeVar("_Given")
_Result = TypeVar("_Result")

MOST_WORDS = 1_000
LARGEST_CODE = 2**24  # up to here float32, in which a forest compares, tells whole numbers apart

_NUMBER_TYPES = (int, float, Decimal, np.integer, np.floating, np.bool_)
# Types whose columns can be converted blindly; anything else (text, None, foreign numbers) is looked at one by one.
_PLAIN_TYPES = frozenset({int, float, bool, Decimal, np.float64, np.float32, np.int64, np.int32, np.bool_})


def _alphabetical(words: Iterable[str]) -> dict[str, int]:
    return {word: code for code, word in enumerate(sorted(words))}


@dataclass(frozen=True)
class Encodings:
    """The words that a model knows of the two categorical fields, and the code of each. Words may share a code.

    The default is the brief's words in alphabetical order, as scikit-learn's LabelEncoder gives.
    `roundings` belong to a forest into which scalers were folded: how its columns become float32.
    """

    geography: Mapping[str, int] = field(default_factory=lambda: _alphabetical(GEOGRAPHIES))
    gender: Mapping[str, int] = field(default_factory=lambda: _alphabetical(GENDERS))
    roundings: Roundings = field(default_factory=dict)

    @classmethod
    def from_metadata(cls, stored: object) -> "Encodings":
        """Read the `encodings` of a model.json. ValueError when they are not whole numbers for words."""
        if not isinstance(stored, Mapping):
            raise ValueError("encodings must be an object with the keys `geography` and `gender`")
        codes = {name: _checked_codes(name, stored.get(name)) for name in WORD_FIELDS}
        return cls(codes["geography"], codes["gender"])

    def codes(self, name: str) -> Mapping[str, int]:
        """The codes of one of WORD_FIELDS."""
        return self.geography if name == "geography" else self.gender

    def words(self, name: str) -> tuple[str, ...]:
        """The words that the model knows of one of WORD_FIELDS, by the alphabet."""
        return tuple(sorted(self.codes(name)))

    def find_unknown_words(self, rows: Sequence[Row]) -> dict[int, UnknownWordError]:
        """Return what is to be said of each row in FEATURES order with a word that is not known, by the row's index.

        Of a row with two the country is named. All rows are looked at together: none is encoded for it.
        """
        found = {}
        for name in reversed(WORD_FIELDS):
            place, codes = FEATURES.index(name), self.codes(name)
            if strange := {row[place] for row in rows} - codes.keys():
                errors = {word: UnknownWordError(name, word, codes) for word in strange}
                found.update({index: errors[row[place]] for index, row in enumerate(rows) if row[place] in strange})
        return found

    def as_metadata(self) -> dict[str, dict[str, int]]:
        """Return the codes as model.json stores them."""
        return {"geography": dict(self.geography), "gender": dict(self.gender)}

    def __str__(self) -> str:
        return ", ".join(f"{word} {code}" for name in WORD_FIELDS for word, code in self.codes(name).items())

    def in_float32(self, rows: Sequence[Sequence[float]] | Floats) -> Matrix:
        """Return the (n, 9) matrix of rows that `encode_row` gave, as the forest compares them."""
        if not self.roundings:
            return np.array(rows, dtype=np.float32).reshape(-1, len(FEATURES))
        numbers = np.array(rows, dtype=np.float64).reshape(-1, len(FEATURES))
        matrix = numbers.astype(np.float32)
        for column, rounding in self.roundings.items():
            matrix[:, column] = rounding.round(numbers[:, column])
        return matrix


def _checked_codes(name: str, codes: object) -> dict[str, int]:
    if not isinstance(codes, Mapping) or not 0 < len(codes) <= MOST_WORDS or not all(map(is_word, codes)):
        raise ValueError(f"encodings of {name} must name 1 to {MOST_WORDS:,} words of 1 to {LONGEST_WORD} characters")
    if not all(type(code) is int and abs(code) <= LARGEST_CODE for code in codes.values()):
        raise ValueError(f"encodings of {name} must be whole numbers, {LARGEST_CODE:,} at most")
    return dict(codes)


_pick = cast("Callable[[Mapping[str, Any]], tuple[Any, ...]]", itemgetter(*FEATURES))


def pick(customer_data: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the nine values in FEATURES order; further keys are ignored. InputError names a missing field."""
    try:
        return _pick(customer_data)
    except KeyError as missing:
        name = str(missing.args[0])
        raise InputError(f"{name} is missing; {expected_of(name)}", field=name) from None
    except TypeError:
        kind = type(customer_data).__name__
        raise InputError(f"customer data must be a mapping of the nine fields, not {kind}") from None


def encode_row(row: Row, encodings: Encodings) -> list[float]:
    """Return one customer's nine numbers in FEATURES order, not yet float32: see `in_float32`.

    InputError names the field and what it expects.
    """
    if len(row) != len(FEATURES):
        raise InputError(f"a row has the {len(FEATURES)} values {', '.join(FEATURES)}, not {len(row)} values")
    return [
        _encode_number(row[0], "credit_score"),
        _encode_word(row[1], "geography", encodings.geography),
        _encode_word(row[2], "gender", encodings.gender),
        *map(_encode_number, row[3:], FEATURES[3:]),
    ]


def _encode_number(value: Any, name: str) -> float:
    low, high, integral = LIMITS[name]
    if not isinstance(value, _NUMBER_TYPES):
        _refuse(name, value)
    try:
        number = float(value)
    except (ValueError, OverflowError):  # Decimal("sNaN"), 10 ** 400
        _refuse(name, value)
    # NaN fails the comparison as well; infinities and 1e39 lie outside every bound.
    if not low <= number <= high or (integral and not number.is_integer()):
        _refuse(name, value)
    return number


def _encode_word(value: Any, name: str, codes: Mapping[str, int]) -> float:
    if not isinstance(value, str) or value not in codes:
        if is_word(value):
            raise UnknownWordError(name, value, codes)
        _refuse(name, value)
    return float(codes[value])


def _refuse(name: str, value: object) -> NoReturn:
    shown = str(value) if isinstance(value, Decimal) else repr(value)
    shown = shown if len(shown) <= 40 else shown[:37] + "..."
    raise InputError(f"{name} is {shown}; {expected_of(name)}", field=name)


def expected_of(name: str) -> str:
    """Return in words what a value of this field must be, or that there is no such field."""
    if name not in FEATURES:
        return f"no such field; expected one of {', '.join(FEATURES)}"
    if name in WORD_FIELDS:
        return f"expected a word of 1 to {LONGEST_WORD} characters"
    low, high, integral = BOUNDS[name]
    return f"expected a {'whole ' if integral else ''}number from {low:,} to {high:,}"


def find_faults(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is expected of every one of these values that no customer can have, by its name; empty without any.

    Other than encoding, this does not end at the first. A name that is none of the nine fields is a fault, too. Which
    words can be scored is known to a model alone.
    """
    return {name: expected_of(name) for name, value in values.items() if not _is_possible(name, value)}


def _is_possible(name: str, value: Any) -> bool:
    if name in WORD_FIELDS:
        return is_word(value)
    try:
        _encode_number(value, name)
    except (KeyError, InputError):
        return False
    return True


def encode_rows(rows: Sequence[Row], encodings: Encodings) -> Matrix:
    """Return the (n, 9) float32 matrix of rows given as tuples in FEATURES order.

    Whole columns are checked and converted at once; only when one looks wrong are the rows gone through one by one,
    which either finds the culprit (InputError with field and row) or accepts rarer number types.
    """
    try:
        columns = list(zip(*rows, strict=True))
        if len(columns) == len(FEATURES):
            return _encode_columns(columns, encodings)
    except (KeyError, TypeError, ValueError, OverflowError):
        pass
    return encodings.in_float32(list(_each(partial(encode_row, encodings=encodings), rows)))


def _encode_columns(columns: Sequence[Sequence[Any]], encodings: Encodings) -> Matrix:
    codes = {name: encodings.codes(name) for name in WORD_FIELDS}
    matrix = np.empty((len(columns[0]), len(FEATURES)), dtype=np.float32)
    for index, (name, column) in enumerate(zip(FEATURES, columns, strict=True)):
        rounding = encodings.roundings.get(index)
        if name in codes:
            numbers = np.array(list(map(codes[name].__getitem__, column)), dtype=np.float64)
        else:
            numbers = _number_column(column, name)
        matrix[:, index] = numbers if rounding is None else rounding.round(numbers)
    return matrix


def _number_column(column: Sequence[Any], name: str) -> NDArray[np.float64]:
    if not _PLAIN_TYPES.issuperset(map(type, column)):
        raise TypeError(name)
    numbers = np.fromiter(column, dtype=np.float64, count=len(column))
    low, high, integral = LIMITS[name]
    is_possible = numbers.min() >= low and numbers.max() <= high  # NaN fails both
    if not is_possible or (integral and (numbers != np.floor(numbers)).any()):
        raise ValueError(name)
    return numbers


def pick_all(rows: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Return each mapping's nine values in FEATURES order; an InputError carries the row's index."""
    return list(_each(pick, rows))


def _each(function: Callable[[_Given], _Result], rows: Iterable[_Given]) -> Iterator[_Result]:
    """Yield the function's result for each row. An InputError gets the row's index."""
    for index, row in enumerate(rows):
        try:
            yield function(row)
        except InputError as error:
            raise error.at(index) from None
