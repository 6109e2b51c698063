"""Why this score: the exact contribution of each field, by path-dependent TreeSHAP (Lundberg et al. 2020).

For a leaf with value v whose path tests the features D, let h be 1 where the row follows the path's conditions on a
feature and 0 where it does not, and c the part of the training weight that does. The game in which absent features are
averaged by training weight then has the Shapley values

    phi_j = v (h_j - c_j)  integral from 0 to 1 of  product over i in D, i != j, of (h_i t + c_i (1 - t))  dt

(the form of Linear TreeSHAP, Yu et al. 2022). With k features in D the integrand is a polynomial of degree k - 1, so
that k / 2 Gauss-Legendre points, rounded up, give the integral without error: five are enough for all nine. The code
here does it leaf by leaf in plain numpy: slow, obvious, and used before or without the compiled `explain_kernels`.
"""

from collections.abc import Sequence
from functools import cached_property
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.schema import FEATURES

from . import engine
from .compiled import FlatForest, Floats
from .encoding import Matrix
from .paths import LeafBoxes, Paths, build_boxes, build_paths

_ROOTS, _WEIGHTS = np.polynomial.legendre.leggauss(5)
_POINTS: Floats = (_ROOTS + 1) / 2  # on [0, 1]
_LEAVES_AT_ONCE = 2048
_ROWS_FOR_BLOCKS = 16  # below, row by row is faster than one padded block

# Each tree's float32 rounding, some 1e-7, averages out over many trees; over few it would not.
_TREES_FOR_FLOAT32 = 32

Reals = NDArray[Any]  # float32 or float64


class Explained(NamedTuple):
    """Scores of n customers with their exact reasons, as arrays: `base_value + contributions.sum(axis=1)` is `scores`.

    What many customers are stored with; `Explanation` is the same of one, for people.
    """

    scores: Floats  # (n,): probabilities
    contributions: Floats  # (n, 9): Shapley values in the same unit, in FEATURES order
    matrix: Matrix  # (n, 9): the values as the forest saw them, words as their label codes

    def only(self, positions: Sequence[int]) -> "Explained":
        """The customers at these positions."""
        return Explained(self.scores[positions], self.contributions[positions], self.matrix[positions])

    @classmethod
    def joined(cls, parts: Sequence["Explained"]) -> "Explained":
        """All customers of some, at least one, as one."""
        scores, contributions, matrices = zip(*parts, strict=True)
        return cls(np.concatenate(scores), np.concatenate(contributions), np.concatenate(matrices))


class _LeafBlocks(NamedTuple):
    """The leaf boxes as the single-row kernel reads them."""

    values: Reals
    shares: Reals
    lows: Matrix
    highs: Matrix


class Explainer:
    """Explains the scores of one forest. What it derives from the forest is made at the first use and kept."""

    def __init__(self, forest: FlatForest) -> None:
        self._forest = forest
        self._kept_blocks: _LeafBlocks | None = None
        self._real = np.float32 if forest.n_trees >= _TREES_FOR_FLOAT32 else np.float64

    @cached_property
    def _boxes(self) -> LeafBoxes:
        return build_boxes(self._forest)

    @cached_property
    def _paths(self) -> Paths:
        return build_paths(self._forest)

    @cached_property
    def base_value(self) -> float:
        """The score when nothing is known of a customer: the mean over the training weight."""
        return float(self._boxes.values @ self._boxes.shares.prod(axis=1)) / self._forest.n_trees

    def contributions(self, matrix: Matrix) -> Floats:
        """Return the (n, 9) contributions, in FEATURES order, of an encoded (n, 9) matrix."""
        kernels = engine.explaining.for_rows(len(matrix))
        if kernels is None:
            totals = sum_leaves(self._boxes, matrix)
        elif len(matrix) < _ROWS_FOR_BLOCKS:
            totals = self._row_by_row(kernels, matrix)
        else:
            totals = self._in_blocks(kernels, matrix)
        return totals / self._forest.n_trees

    def _row_by_row(self, kernels: ModuleType, matrix: Matrix) -> Floats:
        totals, blocks = np.zeros(matrix.shape), self._leaf_blocks(kernels.ROWS)
        for row, total in zip(matrix, totals, strict=True):
            kernels.explain_row(*blocks, row, total)
        return totals

    def _in_blocks(self, kernels: ModuleType, matrix: Matrix) -> Floats:
        blocks = in_blocks(matrix, kernels.ROWS)
        totals = np.zeros(blocks.shape)
        kernels.explain_blocks(self._paths, blocks, np.empty(blocks.shape[1], self._real), totals)
        rows = totals.reshape(-1, len(FEATURES), kernels.ROWS).transpose(0, 2, 1).reshape(-1, len(FEATURES))
        return rows[: len(matrix)]  # what is below was padded

    def _leaf_blocks(self, size: int) -> _LeafBlocks:
        if self._kept_blocks is None:
            boxes = self._boxes
            self._kept_blocks = _LeafBlocks(
                values=in_blocks(boxes.values[:, None].astype(self._real), size),  # padding adds nothing: value 0
                shares=in_blocks(boxes.shares.astype(self._real), size),
                lows=in_blocks(boxes.lows, size),
                highs=in_blocks(boxes.highs, size),
            )
        return self._kept_blocks


def in_blocks(matrix: Reals, size: int) -> Reals:
    """Return an (n, k) matrix as (n_blocks, k * size): column after column in each block, the last one padded."""
    n_blocks, width = -(-len(matrix) // size), matrix.shape[1]
    padded = np.zeros((n_blocks * size, width), dtype=matrix.dtype)
    padded[: len(matrix)] = matrix
    blocks = padded.reshape(n_blocks, size, width).transpose(0, 2, 1)
    return np.ascontiguousarray(blocks).reshape(n_blocks, width * size)


def sum_leaves(boxes: LeafBoxes, matrix: Matrix) -> Floats:
    """Return the (n, 9) contributions summed over all leaves, in plain numpy and float64."""
    totals = np.zeros(matrix.shape)
    for start in range(0, len(boxes.values), _LEAVES_AT_ONCE):
        part = LeafBoxes(*(array[start : start + _LEAVES_AT_ONCE] for array in vars(boxes).values()))
        for row, total in zip(matrix, totals, strict=True):
            total += _sum_part(part, row)
    return totals


def _sum_part(boxes: LeafBoxes, row: Matrix) -> Floats:
    hot = (row > boxes.lows) & (row <= boxes.highs)
    total = np.zeros(row.shape)
    for t, weight in zip(_POINTS, _WEIGHTS / 2, strict=True):
        factors = boxes.shares * (1 - t) + np.where(hot, t, 0.0)
        # A factor is 0 only where the share is 0 and the row is off: then the leaf contributes through that feature
        # alone, and the alpha of an off row, -1 / (1 - t), needs no division by it.
        alpha = np.where(hot, (1 - boxes.shares) / np.where(hot, factors, 1.0), -1 / (1 - t))
        total += weight * ((boxes.values * factors.prod(axis=1)) @ alpha)
    return total
