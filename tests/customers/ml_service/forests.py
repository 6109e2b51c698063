"""Generated customers and small forests for the tests of the model service. Nothing real in here."""

import csv
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_predict

from customers.ml_service import Forest
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.files.packaging import verify
from customers.ml_service.forest.compiled import build
from customers.ml_service.forest.encoding import Encodings
from customers.ml_service.schema import BANK_SPELLING, FEATURES
from customers.ml_service.training import TrainingData
from customers.ml_service.training.diagnostics import diagnose

CUSTOMER = {
    "credit_score": 600,
    "geography": "France",
    "gender": "Male",
    "age": 40,
    "tenure": 3,
    "balance": 50000,
    "num_of_products": 1,
    "has_cr_card": 1,
    "is_active_member": 0,
}
ALPHABETICAL = {"France": 0, "Germany": 1, "Spain": 2, "Female": 0, "Male": 1}


def as_mapping(row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(FEATURES, row, strict=True))


def as_numbers(rows, codes=ALPHABETICAL) -> np.ndarray:
    """What a Data Lead's notebook would feed to scikit-learn."""
    return np.array([[float(codes.get(value, value)) for value in row] for row in rows])


def left(rows, seed: int = 3) -> np.ndarray:
    """Made-up labels that depend on age, products, activity and country, with noise."""
    noise = np.random.default_rng(seed).normal(size=len(rows))
    risk = [(row[3] - 45) / 10 + (row[6] > 2) * 2 - row[8] + (row[1] == "Germany") - 0.5 for row in rows]
    return (np.array(risk) + noise > 0).astype(int)


def fit(n_rows: int = 400, *, seed: int = 1, n_estimators: int = 10, **settings: Any) -> RandomForestClassifier:
    rows = generate_rows(n_rows, seed)
    model = RandomForestClassifier(n_estimators=n_estimators, random_state=seed, **settings)
    return model.fit(as_numbers(rows), left(rows))


def unfitted(n_estimators: int = 10, **settings: Any) -> RandomForestClassifier:
    return RandomForestClassifier(n_estimators, random_state=1, **settings)


def fit_pipeline(model: Any, n_rows: int = 400, seed: int = 1) -> Any:
    """Fit anything that has fit() on made-up customers, whose balances have cents."""
    rows = generate_rows(n_rows, seed)
    return model.fit(as_numbers(rows), left(rows))


# What random forests of a property test are made with.
shapes = st.fixed_dictionaries(
    {
        "n_estimators": st.integers(1, 8),
        "max_depth": st.sampled_from([1, 3, None]),
        "max_features": st.sampled_from([1, 4, None]),
        "class_weight": st.sampled_from([None, "balanced", {0: 1, 1: 7.3}]),
        "seed": st.integers(0, 99),
    }
)


def forest_of(model: RandomForestClassifier) -> Forest:
    return Forest(build(model), "0" * 64, Encodings(), released=False, metadata={})


def diagnosis(n_rows: int = 600, seed: int = 1) -> dict[str, Any]:
    """What a training would write about a small forest."""
    rows = generate_rows(n_rows, seed)
    labels = left(rows)
    model = fit(n_rows, seed=seed, min_samples_leaf=5)
    out_of_fold = cross_val_predict(clone(model), as_numbers(rows), labels, cv=5, method="predict_proba")[:, 1]
    return diagnose(model, Encodings(), TrainingData(rows, labels), out_of_fold, seed=seed)


@cache
def many_deep_trees() -> RandomForestClassifier:
    """500 trees that learned pure noise by heart."""
    pick = np.random.default_rng(1)
    model = RandomForestClassifier(500, random_state=1, max_features=1)
    return model.fit(pick.normal(size=(600, 9)), pick.integers(0, 2, 600))


def on_the_edges(model: RandomForestClassifier, numbers: np.ndarray, n_nodes: int | None = None) -> np.ndarray:
    """Rows that come to each node, or to so many, with its threshold itself or a nearest float64 or float32 to it.

    Elsewhere they are like those of `numbers`, as far as the way to the node allows. Without any test: `numbers`.
    """
    tests = (test for estimator in model.estimators_ for test in _tests(estimator.tree_))
    chosen = list(islice(tests, n_nodes))
    if not chosen:
        return numbers
    features, thresholds, lows, highs = map(np.array, zip(*chosen, strict=True))
    rows = np.resize(numbers, lows.shape).clip(np.nextafter(lows.astype(np.float32), np.float32(np.inf)), highs)
    values = _neighbours(thresholds)
    rows = np.tile(rows, (len(values), 1)).astype(float)
    rows[np.arange(len(rows)), np.tile(features, len(values))] = values.ravel()
    return rows


def _tests(tree: Any) -> Iterator[tuple[int, float, np.ndarray, np.ndarray]]:
    """Feature and threshold of each inner node, and the bounds, low < value <= high, of rows that come to it."""
    waiting = [(0, np.full(9, -np.inf), np.full(9, np.inf))]
    while waiting:
        node, lows, highs = waiting.pop()
        left, right = tree.children_left[node], tree.children_right[node]
        if left >= 0:
            feature, threshold = tree.feature[node], tree.threshold[node]
            yield feature, threshold, lows, highs
            at_threshold = np.where(np.arange(9) == feature, threshold, np.nan)
            waiting.append((left, lows, np.fmin(highs, at_threshold)))
            waiting.append((right, np.fmax(lows, at_threshold), highs))


def _neighbours(thresholds: np.ndarray) -> np.ndarray:
    nearest = thresholds.astype(np.float32)
    up, down = np.inf, -np.inf
    return np.stack(
        [thresholds, np.nextafter(thresholds, up), np.nextafter(thresholds, down),
         nearest, np.nextafter(nearest, np.float32(up)), np.nextafter(nearest, np.float32(down))]
    )  # fmt: skip


def dump(model: object, folder: Path, name: str = "model.pkl") -> Path:
    path = folder / name
    joblib.dump(model, path, compress=3)
    return path


def release(path: Path, *, assets_dir: Path, **known: Any) -> dict[str, Any]:
    """Verify a model file and make it the released one in `assets_dir`. Returns the new model.json."""
    return verify(path, **known).install(assets_dir)


def write_csv(path: Path, n_rows: int = 300, *, bank_spelling: bool = True, delimiter: str = ",") -> Path:
    spelling = {ours: banks for banks, ours in BANK_SPELLING.items()} if bank_spelling else {}
    rows = generate_rows(n_rows, seed=8)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["RowNumber", *(spelling.get(name, name) for name in FEATURES), "Exited"])
        writer.writerows(
            [number, *row, label] for number, (row, label) in enumerate(zip(rows, left(rows), strict=True))
        )
    return path
