"""Scalers before a forest, folded into its thresholds: up to which raw value a customer goes left, exactly.

Scalers are asked for their own arithmetic. All of it rises with the raw value, rounding and the cast to float32
included, so that a search over neighbouring float64 finds the last value that goes left.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .parts import Parts
from .rounding import Floats, Floats32, Rounding, as_ordered, from_ordered

# No raw value lies beyond: balances end at 1e13.
_EDGE = 1e15


@dataclass(frozen=True, eq=False)
class FoldedColumn:
    """The distinct thresholds of one column, rising, as the forest has them; what stands for each in raw float32."""

    scaled: Floats
    stand_ins: Floats32
    rounding: Rounding


def fold(parts: Parts) -> Mapping[int, FoldedColumn]:
    """Return the columns of the forest that are split at, with what their thresholds become without the steps."""
    trees = [estimator.tree_ for estimator in parts.forest.estimators_]
    features = np.concatenate([tree.feature for tree in trees])
    thresholds = np.concatenate([tree.threshold for tree in trees])
    scaled = [np.unique(thresholds[features == column]) for column in range(parts.forest.n_features_in_)]
    raw = _largest_left(parts.steps, scaled)
    return {column: _folded(scaled[column], raw[column]) for column in range(len(scaled)) if len(scaled[column])}


def _folded(scaled: Floats, raw: Floats) -> FoldedColumn:
    rounding = Rounding.from_thresholds(np.unique(raw))
    return FoldedColumn(scaled, rounding.stand_ins[np.searchsorted(rounding.raw, raw)], rounding)


def _largest_left(steps: Sequence[Any], scaled: Sequence[Floats]) -> list[Floats]:
    """Return for each threshold the largest raw float64 that is not above it when scaled; all columns at once."""
    thresholds = np.full((max(map(len, scaled)), len(scaled)), np.inf)
    for column, of_column in enumerate(scaled):
        thresholds[: len(of_column), column] = of_column
    low, high = (as_ordered(np.full(thresholds.shape, edge)) for edge in (-_EDGE, _EDGE))
    while (low < high).any():
        middle = (low | high) - ((low ^ high) >> 1)  # the mean, rounded up; a sum would overflow
        left = _scaled(steps, from_ordered(middle)) <= thresholds
        low, high = np.where(left, middle, low), np.where(left, high, middle - 1)
    found = from_ordered(low)
    return [found[: len(of_column), column] for column, of_column in enumerate(scaled)]


def _scaled(steps: Sequence[Any], matrix: NDArray[Any]) -> Floats32:
    """Return the matrix as the forest gets it from the steps, and casts it."""
    with warnings.catch_warnings(), np.errstate(over="ignore"):
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        for step in steps:
            matrix = step.transform(matrix)
        return matrix.astype(np.float32)
