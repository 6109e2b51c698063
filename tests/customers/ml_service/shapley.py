"""An oracle: trees as nested tuples, and Shapley values by their definition, over all 512 sets of known fields."""

from math import comb
from typing import Any, NamedTuple

import numpy as np

SETS = np.arange(512)


class Split(NamedTuple):
    feature: int
    threshold: float
    share: float  # of the training weight that goes left
    left: "Tree"
    right: "Tree"


Tree = float | Split


def trees_of(model: Any) -> list[Tree]:
    """The trees of a fitted scikit-learn forest with the classes 0 and 1."""
    return [_nested(estimator.tree_, 0) for estimator in model.estimators_]


def _nested(tree: Any, node: int) -> Tree:
    left, right = tree.children_left[node], tree.children_right[node]
    if left < 0:
        return float(tree.value[node, 0, 1])
    weights = tree.weighted_n_node_samples
    weight = weights[left] + weights[right]
    share = weights[left] / weight if weight else 0.5
    return Split(tree.feature[node], tree.threshold[node], share, _nested(tree, left), _nested(tree, right))


def score(trees: list[Tree], row: np.ndarray) -> float:
    return float(np.mean([_score(tree, row) for tree in trees]))


def _score(tree: Tree, row: np.ndarray) -> float:
    while isinstance(tree, Split):
        tree = tree.left if row[tree.feature] <= tree.threshold else tree.right
    return tree


def base_value(trees: list[Tree]) -> float:
    return float(_game(trees, np.zeros(9))[0])


def shapley_values(trees: list[Tree], row: np.ndarray) -> np.ndarray:
    """What each field adds to each set of known others, weighted by the share of orders in which it comes then."""
    game = _game(trees, row)
    values = np.zeros(9)
    for field in range(9):
        without = SETS[~_knows(field)]
        orders = np.array([1 / (9 * comb(8, known.bit_count())) for known in without.tolist()])
        values[field] = orders @ (game[without | 1 << field] - game[without])
    return values


def _game(trees: list[Tree], row: np.ndarray) -> np.ndarray:
    """The mean score for each set of known fields, (512,); where a field is unknown, training weights decide."""
    return np.mean([_values(tree, row) for tree in trees], axis=0)


def _values(tree: Tree, row: np.ndarray) -> np.ndarray:
    if not isinstance(tree, Split):
        return np.full(len(SETS), tree)
    left, right = _values(tree.left, row), _values(tree.right, row)
    taken = left if row[tree.feature] <= tree.threshold else right
    return np.where(_knows(tree.feature), taken, tree.share * left + (1 - tree.share) * right)


def _knows(field: int) -> np.ndarray:
    return (SETS >> field & 1).astype(bool)
