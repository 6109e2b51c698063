"""What the explainer needs to know about the paths of a forest; derived from it once, level by level."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.schema import FEATURES

from .compiled import FlatForest, Floats, Indices

_SIDES = np.array([0, 1])


@dataclass(frozen=True, eq=False)
class TreeLevel:
    """The F nodes at one depth of all trees, with the state of each node's path for each of the nine features.

    An edge of the current path lives in slot `2 * depth + side` of the child it leads to (side 1 is right); slot 0
    belongs to the root and stands for "no edge".
    """

    nodes: Indices  # (F,)
    depth: int
    slots: Indices  # (F,): of the edge that leads to the node
    shares: Floats  # (F, 9): product of the shares of the edges that test the feature; 1 when none does
    lows: NDArray[np.float32]  # (F, 9): the path is taken by rows with low < value <= high
    highs: NDArray[np.float32]
    former: Indices  # (F, 9): slot of the last edge that tests the feature; 0 when none does


def levels(forest: FlatForest) -> Iterator[TreeLevel]:
    """Yield the forest level by level, from the roots down."""
    shape = (forest.n_trees, len(FEATURES))
    unbounded = np.full(shape, np.inf, dtype=np.float32)
    nowhere = np.zeros(shape, dtype=np.int64)
    level = TreeLevel(forest.roots, 0, nowhere[:, 0], np.ones(shape), -unbounded, unbounded, nowhere)
    left, features = forest.left, forest.features
    while len(level.nodes):
        yield level
        level = _next_level(forest, level, left, features)


def _next_level(forest: FlatForest, level: TreeLevel, left: Indices, features: Indices) -> TreeLevel:
    inner = np.flatnonzero(left[level.nodes] != level.nodes)
    parents, taken = level.nodes[inner], np.repeat(inner, 2)
    children = (left[parents][:, None] + _SIDES).ravel()
    side = np.tile(_SIDES, len(parents))
    slots = 2 * (level.depth + 1) + side
    # One state per path: the parent's, changed for the feature that this edge tests.
    shares, lows, highs, former = level.shares[taken], level.lows[taken], level.highs[taken], level.former[taken]
    tested = np.arange(len(children)), np.repeat(features[parents], 2)
    thresholds = np.repeat(forest.thresholds[parents], 2)
    shares[tested] *= forest.shares[children]
    lows[tested] = np.where(side == 1, np.maximum(lows[tested], thresholds), lows[tested])
    highs[tested] = np.where(side == 0, np.minimum(highs[tested], thresholds), highs[tested])
    former[tested] = slots
    return TreeLevel(children, level.depth + 1, slots, shares, lows, highs, former)


class Paths(NamedTuple):
    """The M inner nodes in depth-first order, tree after tree, with what the kernels read at each.

    A named tuple, because numba takes those as arguments, not dataclasses. Kernels in numba's cache find the fields by
    place: a change of them is a change of `explain_kernels` as well.
    """

    starts: Indices  # (T + 1,): first place of each tree
    points: Indices  # (T,): of the quadrature that is exact for the tree's paths
    depths: Indices  # (M,)
    slots: Indices  # (M,): of the edge that leads to the node
    former: Indices  # (M,): slot of the path's last edge on the feature that the node tests, 0 when there is none
    features: Indices  # (M,)
    thresholds: NDArray[np.float32]  # (M,)
    shares: Floats  # (M, 3): of the tested feature along the path: so far, going left, going right
    leaves: NDArray[np.bool_]  # (M, 2): whether the left and the right child is a leaf
    values: Floats  # (M, 2): the leaves' probabilities, 1 for a child that is no leaf
    n_slots: int  # of the deepest path


def build_paths(forest: FlatForest) -> Paths:
    """Put the inner nodes into depth-first order and collect what the kernels read at each."""
    walk = [_inner_part(forest, level) for level in levels(forest)]
    places, starts = _depth_first(forest, walk)
    nodes, depths, slots, former, shares, tested = (np.concatenate(arrays) for arrays in zip(*walk, strict=True))
    order = np.argsort(places[nodes])
    nodes, left = nodes[order], forest.left[nodes[order]]
    children = np.stack([left, left + 1], axis=1)
    leaves = forest.is_leaf[children]
    return Paths(
        starts=starts,
        points=_points(starts, tested[order]),
        depths=depths[order],
        slots=slots[order],
        former=former[order],
        features=forest.features[nodes],
        thresholds=forest.thresholds[nodes],
        shares=shares[order, None] * np.concatenate([np.ones((len(nodes), 1)), forest.shares[children]], axis=1),
        leaves=leaves,
        values=np.where(leaves, forest.values[children], 1.0),
        n_slots=2 * (int(depths.max(initial=0)) + 2),
    )


def _points(starts: Indices, tested: Indices) -> Indices:
    """Return how many Gauss-Legendre points each tree takes: k are exact for the 2 k features that a path may test."""
    most = np.zeros(len(starts) - 1, dtype=np.int64)
    np.maximum.at(most, np.repeat(np.arange(len(most)), np.diff(starts)), tested)
    return (most + 1) // 2


_Part = tuple[Indices, Indices, Indices, Indices, Floats, Indices]


def _inner_part(forest: FlatForest, level: TreeLevel) -> _Part:
    """Return a level's inner nodes, their depth, slot, their tested feature's former slot and share; and the number of
    features that the path has tested then."""
    inner = np.flatnonzero(~forest.is_leaf[level.nodes])
    nodes = level.nodes[inner]
    own = inner, forest.features[nodes]
    tested = (level.former[inner] > 0).sum(axis=1) + (level.former[own] == 0)
    return nodes, np.full(len(nodes), level.depth), level.slots[inner], level.former[own], level.shares[own], tested


def _depth_first(forest: FlatForest, walk: list[_Part]) -> tuple[Indices, Indices]:
    """Return each inner node's place in depth-first order, and the place where each tree starts."""
    # How many inner nodes there are from each node down, itself included.
    sizes, left = (~forest.is_leaf).astype(np.int64), forest.left
    for nodes, *_ in reversed(walk):
        sizes[nodes] += sizes[left[nodes]] + sizes[left[nodes] + 1]
    starts = np.concatenate([[0], np.cumsum(sizes[forest.roots])])
    places = np.zeros(len(forest.nodes), dtype=np.int64)
    places[forest.roots] = starts[:-1]
    for nodes, *_ in walk:
        places[left[nodes]] = places[nodes] + 1
        places[left[nodes] + 1] = places[nodes] + 1 + sizes[left[nodes]]
    return places, starts


@dataclass(frozen=True, eq=False)
class LeafBoxes:
    """The L leaves as boxes in feature space: all that it takes to explain a row leaf by leaf."""

    values: Floats  # (L,)
    shares: Floats  # (L, 9)
    lows: NDArray[np.float32]  # (L, 9)
    highs: NDArray[np.float32]  # (L, 9)


def build_boxes(forest: FlatForest) -> LeafBoxes:
    """Collect the leaves of all trees."""
    parts = []
    for level in levels(forest):
        leaf = forest.is_leaf[level.nodes]
        parts.append((forest.values[level.nodes[leaf]], level.shares[leaf], level.lows[leaf], level.highs[leaf]))
    return LeafBoxes(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
