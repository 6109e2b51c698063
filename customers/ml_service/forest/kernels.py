"""The compiled scoring loops. Imported by `engine` alone, and late: importing numba costs as much as a cold start.

The signatures make numba compile, or read from its cache, while this module is imported. All scratch arrays are made
per call, because the kernels run without the GIL and in several threads. Indices were checked when the forest was
loaded: numba checks none.
"""

import numpy as np
from numpy.typing import NDArray

from .kernel_cache import compiled

_ROWS = 64  # rows that walk a tree together: independent loads hide each other's latency
_TREES = 8  # trees that a single row walks together, for the same reason
# The layout of `compiled` as numbers: numba's cache notices changes of this file alone, not of what it imports.
_SHIFT = np.uint32(28)
_MASK = np.uint32((1 << 28) - 1)
_FEATURES = 9
_STRIDE = 16  # a row's place in the block: a shift instead of a multiplication
_FOREST = "u4[::1],f4[::1],f8[::1],i8[::1],i8[::1]"  # words, thresholds, values, roots, depths


@compiled(f"f8({_FOREST},f4[::1])")
def score_row(
    words: NDArray[np.uint32],
    thresholds: NDArray[np.float32],
    values: NDArray[np.float64],
    roots: NDArray[np.int64],
    depths: NDArray[np.int64],
    row: NDArray[np.float32],
) -> float:
    """Return the mean leaf value of one encoded row (9,); `words` and `thresholds` are one memory, two per node."""
    n_trees = roots.size
    at = np.empty(_TREES, np.uint32)
    total = 0.0
    for first in range(0, n_trees, _TREES):
        steps = 0
        for lane in range(_TREES):
            tree = min(first + lane, n_trees - 1)
            at[lane] = roots[tree]
            steps = max(steps, depths[tree])
        for _ in range(steps):
            for lane in range(_TREES):
                word = words[2 * at[lane] + 1]
                at[lane] = (word & _MASK) + np.uint32(row[word >> _SHIFT] > thresholds[2 * at[lane]])
        for lane in range(min(_TREES, n_trees - first)):
            total += values[at[lane]]
    return total / n_trees


@compiled("void(u4[::1],f4[::1],f4[::1],u4[::1],i8,i8)")
def _walk_block(
    words: NDArray[np.uint32],
    thresholds: NDArray[np.float32],
    block: NDArray[np.float32],
    at: NDArray[np.uint32],
    n_rows: int,
    steps: int,
) -> None:
    for _ in range(steps):
        for row in range(n_rows):
            word = words[2 * at[row] + 1]
            right = block[row * _STRIDE + (word >> _SHIFT)] > thresholds[2 * at[row]]
            at[row] = (word & _MASK) + np.uint32(right)


@compiled(f"void({_FOREST},f4[:,::1],f8[::1])")
def score_rows(
    words: NDArray[np.uint32],
    thresholds: NDArray[np.float32],
    values: NDArray[np.float64],
    roots: NDArray[np.int64],
    depths: NDArray[np.int64],
    matrix: NDArray[np.float32],
    scores: NDArray[np.float64],
) -> None:
    """Write the mean leaf values of an encoded (n, 9) matrix into `scores` (n,): blocks of rows, trees outside."""
    at = np.zeros(_ROWS, np.uint32)
    block = np.zeros(_ROWS * _STRIDE, np.float32)
    for start in range(0, len(matrix), _ROWS):
        n_rows = min(_ROWS, len(matrix) - start)
        for row in range(n_rows):
            scores[start + row] = 0.0
            for feature in range(_FEATURES):
                block[row * _STRIDE + feature] = matrix[start + row, feature]
        for tree in range(roots.size):
            at[:] = roots[tree]
            _walk_block(words, thresholds, block, at, n_rows, depths[tree])
            for row in range(n_rows):
                scores[start + row] += values[at[row]]
        for row in range(n_rows):
            scores[start + row] /= roots.size
