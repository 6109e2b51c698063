"""What the training customers looked like: the shares that a later portfolio is compared with.

Kept in a release's metadata under `reference`: a few counts a column, never a row of the data.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context
from itertools import pairwise
from math import isclose
from sys import float_info
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .schema import FEATURES, WORD_FIELDS

SCORE = "score"
COLUMNS = (*FEATURES, SCORE)
# These take so many values that they are counted by tenths; of the others each value is counted by itself.
CONTINUOUS = frozenset({"credit_score", "age", "balance", SCORE})
DECILES = np.arange(1, 10) / 10
# Edges are cut off after so many digits: a person can read them, and no customer's own balance is kept.
EDGE_DIGITS = Context(prec=3, rounding=ROUND_FLOOR)


@dataclass(frozen=True)
class Intervals:
    """Bin i holds edges[i - 1] <= x < edges[i], as numpy.digitize and PostgreSQL's width_bucket count.

    The outer two are open. The shares, one more than the edges, add up to 1.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]

    @property
    def bins(self) -> tuple[int, ...]:
        return tuple(range(len(self.edges) + 1))

    def names(self, form: Callable[[float], str]) -> tuple[str, ...]:
        """For people, bin by bin."""
        if not self.edges:
            return ("any",)
        edges = [form(edge) for edge in self.edges]
        return (
            f"below {edges[0]}",
            *(f"{low} to below {high}" for low, high in pairwise(edges)),
            f"{edges[-1]} or more",
        )


@dataclass(frozen=True)
class Values:
    """One bin for each value that was seen, words or whole numbers, and its share; the shares add up to 1."""

    bins: tuple[str | int, ...]
    shares: tuple[float, ...]

    def names(self, form: Callable[[str | int], str]) -> tuple[str, ...]:
        """For people, bin by bin."""
        return tuple(form(value) for value in self.bins)


@dataclass(frozen=True)
class Reference:
    """How many customers were described, and their distribution over each of COLUMNS."""

    rows: int
    columns: Mapping[str, Intervals | Values]

    @classmethod
    def from_metadata(cls, stored: object) -> "Reference":
        """Read what `describe` returned. ValueError when it is something else."""
        if not isinstance(stored, Mapping) or not isinstance(stored.get("columns"), Mapping):
            raise ValueError("a reference must be an object with the keys rows and columns")
        rows = stored.get("rows")
        if type(rows) is not int or rows < 1:
            raise ValueError("the rows of a reference must be a whole number from 1 on")
        return cls(rows, {name: _distribution(name, stored["columns"].get(name)) for name in COLUMNS})


def describe(rows: Sequence[Sequence[Any]], scores: Sequence[float] | NDArray[np.float64]) -> dict[str, Any]:
    """Return what is worth keeping of n training customers, to be stored as JSON and read by `Reference`.

    `rows` are in FEATURES order, words included; `scores`, shape (n,), should come from cross-validation: of its own
    training rows a forest is too sure, which later looks like drift (an index of 0.014 with the shipped settings, more
    with deeper trees). ValueError when there are no rows, or not one score for each.
    """
    if len(rows) == 0 or len(rows) != len(scores):
        raise ValueError(f"{len(rows)} rows and {len(scores)} scores cannot be described; as many of each are needed")
    columns = dict(zip(COLUMNS, [*zip(*rows, strict=True), tuple(scores)], strict=True))
    return {
        "rows": len(rows),
        "columns": {
            name: _by_tenths(column) if name in CONTINUOUS else _by_value(name, column)
            for name, column in columns.items()
        },
    }


def _by_tenths(column: Sequence[Any]) -> dict[str, list[float]]:
    """Count bins of some tenth each.

    A bin ends with the value at its decile: where that is one that many share, as a balance of zero, none above it is
    in the same bin.
    """
    numbers = np.array([float(value) for value in column])
    distinct = np.unique(numbers)
    ends = np.searchsorted(distinct, np.quantile(numbers, DECILES, method="inverted_cdf"), side="right")
    exact = distinct[ends[ends < len(distinct)]].tolist()
    readable = {float(EDGE_DIGITS.create_decimal(repr(edge))) for edge in exact}
    edges = sorted(edge for edge in readable if edge > distinct[0])
    counts = np.bincount(np.digitize(numbers, edges), minlength=len(edges) + 1)
    return {"edges": edges, "shares": (counts / len(numbers)).tolist()}


def _by_value(name: str, column: Sequence[Any]) -> dict[str, list[Any]]:
    counts = Counter(column if name in WORD_FIELDS else map(int, column))
    values = sorted(counts)
    return {"values": values, "shares": [counts[value] / len(column) for value in values]}


def _distribution(name: str, stored: object) -> Intervals | Values:
    if not isinstance(stored, Mapping):
        raise ValueError(f"a reference must describe {name}")
    shares = _numbers(name, "shares", stored)
    if min(shares, default=0.0) < 0 or not isclose(sum(shares), 1.0, abs_tol=1e-6):
        raise ValueError(f"the shares of {name} must add up to 1")
    found = Intervals(_edges(name, stored), shares) if name in CONTINUOUS else Values(_values(name, stored), shares)
    if len(found.bins) != len(shares):
        raise ValueError(f"{name} must have one share for each of its {len(found.bins)} bins, not {len(shares)}")
    return found


def _edges(name: str, stored: Mapping[str, Any]) -> tuple[float, ...]:
    edges = _numbers(name, "edges", stored)
    if any(low >= high for low, high in pairwise(edges)):
        raise ValueError(f"the edges of {name} must rise")
    return edges


def _numbers(name: str, key: str, stored: Mapping[str, Any]) -> tuple[float, ...]:
    numbers = stored.get(key)
    # NaN, infinities, and whole numbers that no float can hold are none.
    if not isinstance(numbers, list) or not all(
        isinstance(it, int | float) and type(it) is not bool and abs(it) <= float_info.max for it in numbers
    ):
        raise ValueError(f"the {key} of {name} must be a list of numbers")
    return tuple(map(float, numbers))


def _values(name: str, stored: Mapping[str, Any]) -> tuple[str | int, ...]:
    values, kind = stored.get("values"), str if name in WORD_FIELDS else int
    if not isinstance(values, list) or not all(type(it) is kind for it in values) or len(set(values)) < len(values):
        raise ValueError(f"the values of {name} must be a list of different {'words' if kind is str else 'numbers'}")
    return tuple(values)
