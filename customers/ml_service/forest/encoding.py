"""Customer values to the model's numbers: checked, label-encoded, cast to float32 as scikit-learn does."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Any, NoReturn, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.errors import InputError
from customers.ml_service.schema import BOUNDS, CATEGORIES, FEATURES, GENDERS, GEOGRAPHIES

from .rounding import Floats, Roundings

Row = Sequence[Any]
Matrix = NDArray[np.float32]
_Given = TypeVar("_Given")
_Result = TypeVar("_Result")

_NUMBER_TYPES = (int, float, Decimal, np.integer, np.floating, np.bool_)
# Types whose columns can be converted blindly; anything else (text, None, foreign numbers) is looked at one by one.
_PLAIN_TYPES = frozenset({int, float, bool, Decimal, np.float64, np.float32, np.int64, np.int32, np.bool_})


def _alphabetical(words: Iterable[str]) -> dict[str, int]:
    return {word: code for code, word in enumerate(sorted(words))}


@dataclass(frozen=True)
class Encodings:
    """Label codes of the two categorical fields. The default is alphabetical, as scikit-learn's LabelEncoder gives.

    `roundings` belong to a forest into which scalers were folded: how its columns become float32.
    """

    geography: Mapping[str, int] = field(default_factory=lambda: _alphabetical(GEOGRAPHIES))
    gender: Mapping[str, int] = field(default_factory=lambda: _alphabetical(GENDERS))
    roundings: Roundings = field(default_factory=dict)

    @classmethod
    def from_metadata(cls, stored: object) -> "Encodings":
        """Read the `encodings` of a model.json. ValueError when they are not whole numbers for exactly our words."""
        if not isinstance(stored, Mapping):
            raise ValueError("encodings must be an object with the keys `geography` and `gender`")
        codes = {name: _checked_codes(name, words, stored.get(name)) for name, words in CATEGORIES.items()}
        return cls(codes["geography"], codes["gender"])

    def as_metadata(self) -> dict[str, dict[str, int]]:
        """Return the codes as model.json stores them."""
        return {"geography": dict(self.geography), "gender": dict(self.gender)}

    def __str__(self) -> str:
        return ", ".join(f"{word} {code}" for word, code in {**self.geography, **self.gender}.items())

    def in_float32(self, rows: Sequence[Sequence[float]] | Floats) -> Matrix:
        """Return the (n, 9) matrix of rows that `encode_row` gave, as the forest compares them."""
        if not self.roundings:
            return np.array(rows, dtype=np.float32).reshape(-1, len(FEATURES))
        numbers = np.array(rows, dtype=np.float64).reshape(-1, len(FEATURES))
        matrix = numbers.astype(np.float32)
        for column, rounding in self.roundings.items():
            matrix[:, column] = rounding.round(numbers[:, column])
        return matrix


def _checked_codes(name: str, words: tuple[str, ...], codes: object) -> dict[str, int]:
    if not isinstance(codes, Mapping) or set(codes) != set(words):
        raise ValueError(f"encodings of {name} must name exactly {', '.join(words)}")
    if not all(type(code) is int for code in codes.values()) or len(set(codes.values())) != len(words):
        raise ValueError(f"encodings of {name} must be different whole numbers")
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
        _encode_number(row[0], "credit_score", 1000.0),
        _encode_word(row[1], "geography", encodings.geography),
        _encode_word(row[2], "gender", encodings.gender),
        *map(_encode_number, row[3:], FEATURES[3:], _HIGHS),
    ]


_HIGHS = tuple(float(BOUNDS[name].high) for name in FEATURES[3:])
_LOWS = {name: float(bounds.low) for name, bounds in BOUNDS.items()}
_INTEGRAL = {name: bounds.integral for name, bounds in BOUNDS.items()}


def _encode_number(value: Any, name: str, high: float) -> float:
    if not isinstance(value, _NUMBER_TYPES):
        _refuse(name, value)
    try:
        number = float(value)
    except (ValueError, OverflowError):  # Decimal("sNaN"), 10 ** 400
        _refuse(name, value)
    # NaN fails the comparison as well; infinities and 1e39 lie outside every bound.
    if not _LOWS[name] <= number <= high or (_INTEGRAL[name] and not number.is_integer()):
        _refuse(name, value)
    return number


def _encode_word(value: Any, name: str, codes: Mapping[str, int]) -> float:
    if not isinstance(value, str) or value not in codes:
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
    if name in CATEGORIES:
        return f"expected one of {', '.join(CATEGORIES[name])}"
    low, high, integral = BOUNDS[name]
    return f"expected a {'whole ' if integral else ''}number from {low:,} to {high:,}"


def find_faults(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is expected of every one of these values that cannot be scored, by its name; empty when all can.

    Other than encoding, this does not end at the first. A name that is none of the nine fields is a fault, too.
    """
    return {name: expected_of(name) for name, value in values.items() if not _is_possible(name, value)}


def _is_possible(name: str, value: Any) -> bool:
    if name in CATEGORIES:
        return isinstance(value, str) and value in CATEGORIES[name]
    try:
        _encode_number(value, name, float(BOUNDS[name].high))
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
    codes = encodings.as_metadata()
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
    low, high, integral = BOUNDS[name]
    is_possible = numbers.min() >= low and numbers.max() <= float(high)  # NaN fails both
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
            raise InputError(error.message, field=error.field, row=index) from None
