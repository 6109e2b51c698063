"""Forests of any shape: trees that no training would give, and what scikit-learn makes of odd data."""

from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from customers.ml_service.forest.compiled import INDEX_BITS, FlatForest, from_arrays

from .shapley import Split, Tree

# Few, so that paths test the same ones again, repeat themselves and contradict themselves.
_THRESHOLDS = np.array([-70_000.3, -0.5, 0.0, 0.1, 42.5, 119_730.27], dtype=np.float32)
_VALUES = np.concatenate([np.nextafter(_THRESHOLDS, direction) for direction in (_THRESHOLDS, -np.inf, np.inf)])
# Shares of weight and probabilities. Those at the ends make contributions vanish, so that not every tree has them.
_FRACTIONS = [0.2, 0.3, 0.5, 0.6]
_EXTREME_FRACTIONS = [0.0, 1e-9, 0.3, 0.5, 1.0]


def tree(pick: Random) -> Tree:
    """Any number of leaves, and of features that are tested; often so deep that a path tests all of them."""
    features = pick.sample(range(9), pick.choice([1, 2, 5, 8, 9, 9]))
    return _grown(pick.choice([1, 2, 3, 9, 30, 60]), features, pick.choice([_FRACTIONS, _EXTREME_FRACTIONS]), pick)


def _grown(leaves: int, features: list[int], fractions: list[float], pick: Random) -> Tree:
    fraction = pick.choice([*fractions, pick.random()])
    if leaves == 1:
        return fraction
    left = pick.choice([1, pick.randint(1, leaves - 1)])
    subtrees = (_grown(number, features, fractions, pick) for number in (left, leaves - left))
    return Split(pick.choice(features), pick.choice(_THRESHOLDS.tolist()), fraction, *subtrees)


# Everything else follows from the seed: Hypothesis itself would prefer what is small, single leaves above all.
seeds = st.integers(0, 2**32)
trees = seeds.map(lambda seed: tree(Random(seed)))
rows = st.lists(st.sampled_from(_VALUES.tolist()), min_size=9, max_size=9)
matrices = st.lists(rows, min_size=1, max_size=4).map(lambda given: np.array(given, dtype=np.float32))


def flat(trees: list[Tree]) -> FlatForest:
    """The same trees as arrays, their nodes mingled level by level."""
    found: list[tuple[Tree, float]] = [(tree, 1.0) for tree in trees]
    lines = []
    for index, (tree, share) in enumerate(found):  # grows while it is read
        if isinstance(tree, Split):
            lines.append((np.float32(tree.threshold), tree.feature << INDEX_BITS | len(found), 0.0, share))
            found += [(tree.left, tree.share), (tree.right, 1 - tree.share)]
        else:
            lines.append((np.float32(np.inf), index, tree, share))
    thresholds, packed, values, shares = map(np.array, zip(*lines, strict=True))
    return from_arrays(
        {
            "nodes": np.stack([thresholds.view(np.uint32), packed.astype(np.uint32)], axis=1),
            "values": values,
            "shares": shares,
            "roots": np.arange(len(trees)),
        }
    )


_COLUMNS = {
    "constant": lambda pick, n: np.full(n, 7.0),
    "flags": lambda pick, n: pick.integers(0, 2, n),
    "few": lambda pick, n: pick.choice([0.0, 0.1, 0.1 + 1e-9, 3.0], n),
    "many": lambda pick, n: pick.normal(size=n),
    "huge": lambda pick, n: pick.uniform(-1e12, 1e12, n),
}
_LABELS = {
    "noise": lambda pick, n: pick.integers(0, 2, n),
    "one leaver": lambda pick, n: np.arange(n) == 1,
    "one who stays": lambda pick, n: np.arange(n) != 0,
}
_WEIGHTS = {
    "none": lambda pick, n: None,
    "zeros among them": lambda pick, n: np.where(np.arange(n) % 3 < 2, pick.uniform(0.1, 5, n), 0.0),
    "wide": lambda pick, n: 10.0 ** pick.integers(-6, 7, n),
}


_SETTINGS: dict[str, list[Any]] = {
    "n_estimators": [1, 2, 6],
    "max_depth": [None, None, 3, 1],
    "max_leaf_nodes": [None, None, 9],
    "max_features": [1, 4, None],
    "min_samples_leaf": [1, 1, 5],
    "class_weight": [None, {0: 1, 1: 7.3}],
    "bootstrap": [True, False],
}


def fit_anything(pick: np.random.Generator) -> tuple[RandomForestClassifier, np.ndarray]:
    """A fitted forest with the numbers it was fitted on."""
    n_rows = int(pick.choice([12, 50, 150]))
    columns = [_COLUMNS[kind](pick, n_rows) for kind in pick.choice(list(_COLUMNS), 9)]
    numbers = np.stack(columns, axis=1).astype(float)
    labels = _LABELS[pick.choice(list(_LABELS))](pick, n_rows).astype(int)
    labels[:2] = 0, 1
    weights = _WEIGHTS[pick.choice(list(_WEIGHTS))](pick, n_rows)
    settings = {name: choices[pick.integers(len(choices))] for name, choices in _SETTINGS.items()}
    return RandomForestClassifier(**settings, random_state=0).fit(numbers, labels, sample_weight=weights), numbers


fitted = seeds.map(lambda seed: fit_anything(np.random.default_rng(seed)))
