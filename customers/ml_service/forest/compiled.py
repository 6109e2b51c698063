"""The forest as flat arrays: built once from a fitted RandomForestClassifier, scored without scikit-learn.

A node is eight bytes: a float32 threshold and a packed uint32, feature << 28 | index of the left child. The right child
is the left one's neighbour; a leaf has threshold +inf and points to itself, so that a walk of a tree's depth in steps
always ends in the right leaf without a branch.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.errors import ModelClassError, ModelCorruptError
from customers.ml_service.schema import FEATURES

from . import rounding
from .columns import columns_of
from .folding import fold
from .parts import Parts, parts_of
from .rounding import Floats as Floats
from .rounding import Floats32, Roundings, round_down
from .rounding import Indices as Indices

INDEX_BITS = 28
INDEX_MASK = (1 << INDEX_BITS) - 1
MAX_NODES = 1 << INDEX_BITS
_ROWS_AT_ONCE = 256

# From a tree's inner nodes, their columns and thresholds, to the thresholds as float32.
Thresholds = Callable[[Indices, Floats], Floats32]


@dataclass(frozen=True, eq=False)
class FlatForest:
    """Arrays of a forest of N nodes and T trees; made by `build` or `from_arrays`, which check every index."""

    nodes: NDArray[np.uint32]  # (N, 2): threshold as float32 bits, feature << 28 | left child
    values: Floats  # (N,): probability of churn in a leaf, 0 elsewhere
    shares: Floats  # (N,): part of the parent's training weight that went this way; 1 for a root
    roots: Indices  # (T,): first node of each tree
    depths: Indices  # (T,): steps from the root to the deepest leaf
    roundings: Roundings = field(default_factory=dict)  # by field: where scalers were folded into the thresholds

    @property
    def n_trees(self) -> int:
        return len(self.roots)

    @property
    def thresholds(self) -> NDArray[np.float32]:
        return self.nodes.view(np.float32)[:, 0]

    @cached_property
    def kernel_arrays(self) -> tuple[NDArray[Any], ...]:
        """What kernels read: words and thresholds, which are one memory, (2N,); values, roots and depths."""
        words = self.nodes.reshape(-1)
        return words, words.view(np.float32), self.values, self.roots, self.depths

    @cached_property
    def contents(self) -> str:
        """The SHA-256 of what is scored with: name, type, shape and bytes of each array, by name.

        It does not depend on how a file packs the arrays, nor on what else the file holds.
        """
        checksum = hashlib.sha256()
        for name, array in sorted(self.as_arrays().items()):
            checksum.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            checksum.update(array.tobytes())
        return checksum.hexdigest()

    @property
    def packed(self) -> NDArray[np.uint32]:
        return self.nodes[:, 1]

    @property
    def left(self) -> Indices:
        return (self.packed & np.uint32(INDEX_MASK)).astype(np.int64)

    @property
    def features(self) -> Indices:
        return (self.packed >> np.uint32(INDEX_BITS)).astype(np.int64)

    @property
    def is_leaf(self) -> NDArray[np.bool_]:
        leaves: NDArray[np.bool_] = self.left == np.arange(len(self.nodes))
        return leaves

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `from_arrays` needs."""
        return {
            **rounding.as_arrays(self.roundings),
            "nodes": self.nodes,
            "values": self.values,
            "shares": self.shares,
            "roots": self.roots,
        }


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> FlatForest:
    """Check stored arrays and return the forest. ModelCorruptError when an index or a value is impossible."""
    nodes = _stored(arrays, "nodes", np.uint32, ndim=2)
    values, shares = (_stored(arrays, name, np.float64) for name in ("values", "shares"))
    roots = _stored(arrays, "roots", np.int64)
    if nodes.shape[1] != 2 or not 0 < len(nodes) == len(values) == len(shares) <= MAX_NODES or not len(roots):
        raise ModelCorruptError("the forest's arrays do not fit together; release the model again")
    unchecked = FlatForest(nodes, values, shares, roots, depths=np.zeros_like(roots))
    _check_numbers(unchecked)
    roundings = rounding.from_arrays(arrays, len(FEATURES))
    return FlatForest(nodes, values, shares, roots, depths=_checked_depths(unchecked), roundings=roundings)


def _stored(arrays: Mapping[str, NDArray[Any]], name: str, dtype: type, ndim: int = 1) -> NDArray[Any]:
    array = arrays.get(name)
    if array is None or array.dtype != dtype or array.ndim != ndim:
        raise ModelCorruptError(f"the forest's array {name} is missing or of another type; release the model again")
    return np.require(array, requirements=["C", "W"])  # the kernels are compiled for writable, contiguous arrays


def _check_numbers(forest: FlatForest) -> None:
    sound = (
        not np.isnan(forest.thresholds).any()
        and (forest.features < len(FEATURES)).all()
        and all(((it >= 0) & (it <= 1)).all() for it in (forest.values, forest.shares))  # NaN is in no interval
    )
    if not sound:
        raise ModelCorruptError("the forest holds impossible thresholds, columns, probabilities or weights")


def _checked_depths(forest: FlatForest) -> Indices:
    """Walk all trees level by level: every node must be met exactly once. numba checks no index afterwards."""
    left, n_nodes = forest.left, len(forest.nodes)
    if not _in_range(forest.roots, n_nodes) or not _in_range(left, n_nodes):
        raise ModelCorruptError("the forest's arrays point outside themselves")
    depths = np.zeros(forest.n_trees, dtype=np.int64)
    met = np.zeros(n_nodes, dtype=np.int64)
    level, owners, steps = forest.roots, np.arange(forest.n_trees), 0
    while len(level) and _in_range(level, n_nodes):
        depths[owners] = steps
        np.add.at(met, level, 1)
        if met[level].max() > 1:
            break
        inner = left[level] != level
        owners, steps = np.repeat(owners[inner], 2), steps + 1
        level = (left[level[inner]][:, None] + np.array([0, 1])).ravel()
    if (met != 1).any():
        raise ModelCorruptError("the forest's arrays are no trees: a node is met twice or never")
    return depths


def _in_range(indices: Indices, n_nodes: int) -> bool:
    return not len(indices) or bool(indices.min() >= 0 and indices.max() < n_nodes)


def build(model: Any) -> FlatForest:
    """Flatten what `parts_of` takes. ModelClassError, ModelColumnsError or ModelCorruptError say why it cannot be."""
    parts = parts_of(model)
    churn_column = churn_column_of(parts.forest)
    columns = np.array(columns_of(model), dtype=np.int64)
    trees = [estimator.tree_ for estimator in parts.forest.estimators_]
    counts = [int(tree.node_count) for tree in trees]
    check_size(sum(counts))
    roots = np.cumsum([0, *counts[:-1]], dtype=np.int64)
    thresholds, roundings = _thresholds(parts, columns)
    pieces = (_flatten(*it, churn_column, columns, thresholds) for it in zip(trees, roots.tolist(), strict=True))
    nodes, values, shares = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
    return from_arrays(
        {"nodes": nodes, "values": values, "shares": shares, "roots": roots, **rounding.as_arrays(roundings)}
    )


def _thresholds(parts: Parts, columns: Indices) -> tuple[Thresholds, Roundings]:
    """Return how thresholds become float32, and how raw values do, by field, where that takes more than a cast."""
    if not parts.steps:
        return lambda _columns, thresholds: round_down(thresholds), {}
    folded = fold(parts)

    def raw(splits: Indices, thresholds: Floats) -> Floats32:
        found = np.empty(len(thresholds), dtype=np.float32)
        for column in set(splits.tolist()):
            of_column = splits == column
            its = folded[column]
            found[of_column] = its.stand_ins[np.searchsorted(its.scaled, thresholds[of_column])]
        return found

    return raw, {int(columns[column]): it.rounding for column, it in folded.items()}


def check_size(n_nodes: int) -> None:
    """ModelClassError when a node's index would not fit into its 28 bits."""
    if n_nodes > MAX_NODES:
        raise ModelClassError(f"the forest has {n_nodes:,} nodes, at most {MAX_NODES:,} fit; train fewer trees")


def churn_column_of(forest: Any) -> int:
    """Return the column of a RandomForestClassifier's `predict_proba` that is the probability of churn."""
    classes = np.asarray(forest.classes_) if getattr(forest, "n_outputs_", 1) == 1 else np.empty(0)
    meanings = [_LABELS.get(str(label).strip().lower()) for label in classes.tolist()]
    if sorted(meanings, key=str) != [0, 1]:
        shown = ", ".join(map(repr, classes.tolist())) or "several outputs"
        raise ModelClassError(f"the forest must tell 0 (stays) from 1 (leaves), its classes are {shown}")
    return meanings.index(1)


_LABELS: Mapping[str, int] = {"0": 0, "0.0": 0, "false": 0, "1": 1, "1.0": 1, "true": 1}


def _flatten(
    tree: Any, offset: int, churn_column: int, columns: Indices, thresholds: Thresholds
) -> tuple[NDArray[np.uint32], Floats, Floats]:
    """Return one tree's (nodes, values, shares), its nodes numbered breadth first from `offset`."""
    order = _breadth_first(tree.children_left, tree.children_right)
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    left = tree.children_left[order]
    leaf, inner = left < 0, order[left >= 0]
    features = np.where(leaf, 0, columns[np.where(leaf, 0, tree.feature[order])])
    targets = offset + np.where(leaf, np.arange(len(order)), position[left])
    limits = np.full(len(order), np.inf, dtype=np.float32)
    limits[~leaf] = thresholds(tree.feature[inner], tree.threshold[inner])
    nodes = np.empty((len(order), 2), dtype=np.uint32)
    nodes[:, 0] = limits.view(np.uint32)
    nodes[:, 1] = (features << INDEX_BITS) | targets
    values = np.where(leaf, _probabilities(tree, churn_column)[order], 0.0)
    return nodes, values, _shares(tree)[order]


def _breadth_first(left: Indices, right: Indices) -> Indices:
    levels = [np.zeros(1, dtype=np.int64)]
    while len(levels[-1]):
        inner = levels[-1][left[levels[-1]] >= 0]
        levels.append(np.stack([left[inner], right[inner]], axis=1).ravel())
    return np.concatenate(levels)


def _probabilities(tree: Any, churn_column: int) -> Floats:
    # scikit-learn before 1.3 stored class weights here, later ones store fractions: dividing serves both.
    weights = np.asarray(tree.value[:, 0, :], dtype=np.float64)
    totals = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        normalised = weights[:, churn_column] / totals
    return np.where(np.abs(totals - 1.0) < 1e-9, weights[:, churn_column], normalised)


def _shares(tree: Any) -> Floats:
    """Return each node's part of its parent's training weight. A split without weight counts as half and half."""
    weights = np.asarray(tree.weighted_n_node_samples, dtype=np.float64)
    shares = np.ones(len(weights))
    inner = np.flatnonzero(tree.children_left >= 0)
    left, right = tree.children_left[inner], tree.children_right[inner]
    totals = weights[left] + weights[right]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares[left] = np.where(totals > 0, weights[left] / totals, 0.5)
    shares[right] = 1.0 - shares[left]
    return shares


def score_matrix(forest: FlatForest, matrix: NDArray[np.float32]) -> Floats:
    """Return the (n,) scores of an encoded (n, 9) matrix in plain numpy: slower than the kernels, the same numbers."""
    starts = range(0, len(matrix), _ROWS_AT_ONCE)
    chunks = [_score_chunk(forest, matrix[start : start + _ROWS_AT_ONCE]) for start in starts]
    return np.concatenate(chunks) if chunks else np.empty(0)


def _score_chunk(forest: FlatForest, matrix: NDArray[np.float32]) -> Floats:
    at = np.tile(forest.roots, (len(matrix), 1))
    rows = np.arange(len(matrix))[:, None]
    thresholds, packed = forest.thresholds, forest.packed
    for _ in range(int(forest.depths.max())):
        word = packed[at]
        at = (word & np.uint32(INDEX_MASK)) + (matrix[rows, word >> np.uint32(INDEX_BITS)] > thresholds[at])
    mean: Floats = forest.values[at].sum(axis=1) / forest.n_trees
    return mean
