"""What a model card shows of a forest beside its metrics: calibration, importances, effects, subgroups, limits.

Figures over many customers only: never a row of the data, and no rates of a group too small to hide in.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from customers.ml_service import fairness, performance
from customers.ml_service.forest import engine
from customers.ml_service.forest.compiled import FlatForest, build
from customers.ml_service.forest.encoding import Encodings, Matrix, encode_rows
from customers.ml_service.intervals import Rate
from customers.ml_service.schema import FEATURES, WORD_FIELDS

from .data import Labels, Scores, TrainingData

# Fewer customers than this are counted, and nothing more is published of them.
SMALLEST_GROUP = 10
# A share seen among fewer is known to no better than 6 percentage points (95 %, at worst).
FEW_CUSTOMERS = 250

_FOLDS, _SHUFFLES = 3, 5
_EFFECT_ROWS, _EFFECT_VALUES = 500, 21
_DIGITS, _RATE_DIGITS = 5, 4
_NEAREST = {"balance": 1000}  # an exact balance would be one customer's

# First values of the bands of a number; the last band is open.
_LIMIT_AGES = (18, 30, 40, 50, 60, 70, 80)
_LIMIT_CREDIT_SCORES = (0, 400, 500, 600, 700, 800)

Mask = NDArray[np.bool_]
Columns = Mapping[str, NDArray[Any]]


def diagnose(
    model: RandomForestClassifier,
    encodings: Encodings,
    data: TrainingData,
    out_of_fold: Scores,
    *,
    seed: int,
    thresholds: Sequence[float] = fairness.THRESHOLDS,
) -> dict[str, Any]:
    """Return what `metadata["diagnostics"]` holds: some 10 kB of JSON, read by the model card.

    `model` is fitted on all rows of `data` as encoded by `encodings`; `out_of_fold` are the (n,) scores that each row
    got from a forest that had not seen it; from each of the `thresholds` on customers count as selected. The same
    arguments give the same figures.
    """
    matrix = encode_rows(data.rows, encodings)
    # The words of categories, and everything else as the numbers that the forest was fitted on.
    columns = {
        name: np.array(data.column(name)) if name in WORD_FIELDS else matrix[:, index].astype(np.float64)
        for index, name in enumerate(FEATURES)
    }
    return {
        "calibration": calibration(data.labels, out_of_fold),
        "importances": importances(model, matrix, data.labels, seed=seed),
        "effects": effects(build(model), encodings, matrix, columns, seed=seed),
        "thresholds": list(thresholds),
        "subgroups": subgroups(columns, data.labels, out_of_fold, thresholds),
        "limits": limits(columns),
    }


def calibration(labels: Labels, scores: Scores) -> list[dict[str, Any]]:
    """Return the calibration curve, lowest scores first: bins of equal counts, mean score beside the observed share."""
    return [
        {"mean_score": _rounded(it.mean_score), "observed": _rounded(it.share_left), "customers": it.customers}
        for it in performance.calibration(labels, scores)
    ]


def importances(model: RandomForestClassifier, matrix: Matrix, labels: Labels, *, seed: int) -> dict[str, Any]:
    """Return the ROC AUC that shuffling each column costs: mean, and standard deviation over folds and shuffles.

    Permutation importance after Breiman (2001), "Random Forests". A forest of the same settings is fitted anew for
    each fold and judged on the rows it has not seen: on its own rows it would rate its overfitting.
    """
    lost: dict[str, list[float]] = {name: [] for name in FEATURES}
    shuffler = np.random.default_rng(seed)
    for fitted_on, judged_on in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(matrix, labels):
        refitted = clone(model).set_params(n_jobs=-1).fit(matrix[fitted_on], labels[fitted_on])
        for name, losses in _auc_lost(build(refitted), matrix[judged_on], labels[judged_on], shuffler).items():
            lost[name] += losses
    return {
        "method": f"ROC AUC lost on held-out customers, {_FOLDS} folds, each column shuffled {_SHUFFLES} times",
        "features": {
            name: {"mean": _rounded(np.mean(losses)), "std": _rounded(np.std(losses))} for name, losses in lost.items()
        },
    }


def _auc_lost(
    forest: FlatForest, matrix: Matrix, labels: Labels, shuffler: np.random.Generator
) -> dict[str, list[float]]:
    intact = roc_auc_score(labels, engine.score_rows(forest, matrix))
    lost = {}
    for index, name in enumerate(FEATURES):
        shuffled = (_with_column(matrix, index, shuffler.permutation(matrix[:, index])) for _ in range(_SHUFFLES))
        lost[name] = [intact - roc_auc_score(labels, engine.score_rows(forest, other)) for other in shuffled]
    return lost


def _with_column(matrix: Matrix, index: int, values: Any) -> Matrix:
    changed = matrix.copy()
    changed[:, index] = values
    return changed


def effects(
    forest: FlatForest, encodings: Encodings, matrix: Matrix, columns: Columns, *, seed: int
) -> dict[str, dict[str, Any]]:
    """Return, for each feature, values from end to end and the mean score if every customer had that value.

    Partial dependence after Friedman (2001), "Greedy Function Approximation", over a sample of the customers.
    """
    sample = matrix[np.random.default_rng(seed).permutation(len(matrix))[:_EFFECT_ROWS]]
    shapes = {}
    for index, name in enumerate(FEATURES):
        inputs = _inputs(name, encodings, columns[name])
        means = [engine.score_rows(forest, _with_column(sample, index, code)).mean() for code in inputs.values()]
        shapes[name] = {"values": list(inputs), "scores": [_rounded(mean) for mean in means]}
    return shapes


def _inputs(name: str, encodings: Encodings, column: NDArray[Any]) -> Mapping[str | int, int]:
    """Values that a field can have, with the numbers that stand for them in the forest."""
    if name not in WORD_FIELDS:
        return {value: value for value in _grid(name, column)}
    codes = encodings.codes(name)
    return {word: codes[word] for word in _most_frequent(column)}


def _grid(name: str, column: NDArray[Any]) -> list[int]:
    """Whole numbers, evenly spaced over the range seen; all of them where there are few."""
    step = _NEAREST.get(name, 1)
    spaced = (np.linspace(*_range_seen(name, column), _EFFECT_VALUES) / step).round() * step
    return [int(value) for value in np.unique(spaced)]


def _range_seen(name: str, column: NDArray[Any]) -> tuple[int, int]:
    step = _NEAREST.get(name, 1)
    return int(np.floor(column.min() / step)) * step, int(np.ceil(column.max() / step)) * step


def subgroups(
    columns: Columns, labels: Labels, scores: Scores, thresholds: Sequence[float] = fairness.THRESHOLDS
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the figures of each group of `fairness.FIELDS`, from scores that the rows had no part in."""
    return {
        name: {
            group: _judged(labels[members], scores[members], thresholds)
            for group, members in fairness.masks(name, columns[name]).items()
        }
        for name in fairness.FIELDS
    }


def _judged(labels: Labels, scores: Scores, thresholds: Sequence[float]) -> dict[str, Any]:
    """Rates of enough customers, and quality where enough of them left and enough stayed; None otherwise."""
    enough = len(labels) >= SMALLEST_GROUP
    comparable = min(np.bincount(labels, minlength=2)) >= SMALLEST_GROUP
    found = fairness.figures(fairness.tally(scores, thresholds, labels))
    return {
        "customers": len(labels),
        "churn_rate": _rounded(labels.mean()) if enough else None,
        "mean_score": _rounded(scores.mean()) if enough else None,
        "roc_auc": _rounded(roc_auc_score(labels, scores)) if comparable else None,
        "brier": _rounded(brier_score_loss(labels, scores)) if comparable else None,
        "selected": list(map(_rounded_rate, found.selected)),
        "true_positive": list(map(_rounded_rate, found.true_positive)),
        "false_positive": list(map(_rounded_rate, found.false_positive)),
    }


def _rounded_rate(rate: Rate | None) -> list[float] | None:
    return None if rate is None else [round(bound, _RATE_DIGITS) for bound in rate]


def limits(columns: Columns) -> dict[str, Any]:
    """Return the ranges seen, and every group of less than FEW_CUSTOMERS: there a score rests on little."""
    groupings = {
        **{name: _by_word(columns[name]) for name in WORD_FIELDS},
        "age": _by_band(columns["age"], _LIMIT_AGES),
        "credit_score": _by_band(columns["credit_score"], _LIMIT_CREDIT_SCORES),
        **{
            name: {f"{number:g}": columns[name] == number for number in np.unique(columns[name])}
            for name in ("num_of_products", "has_cr_card", "is_active_member")
        },
    }
    return {
        "ranges": {name: _range_seen(name, columns[name]) for name in FEATURES if name not in WORD_FIELDS},
        "few": FEW_CUSTOMERS,
        "small_groups": {
            name: {group: int(those.sum()) for group, those in groups.items() if those.sum() < FEW_CUSTOMERS}
            for name, groups in groupings.items()
        },
    }


def _by_word(column: NDArray[Any]) -> dict[str, Mask]:
    return {word: column == word for word in _most_frequent(column)}


def _most_frequent(column: NDArray[Any]) -> list[str]:
    """The words of most customers, by the alphabet; no more than a card has room for."""
    words, customers = np.unique(column, return_counts=True)
    return sorted(words[np.argsort(-customers, kind="stable")[: fairness.MOST_WORDS]].tolist())


def _by_band(column: NDArray[Any], starts: Sequence[int]) -> dict[str, Mask]:
    """Bands from each start to the next, named by their first and last whole number."""
    bands = np.digitize(column, starts[1:])
    return {name: bands == index for index, name in enumerate(fairness.class_names(starts))}


def _rounded(figure: Any) -> float:
    return round(float(figure), _DIGITS)
