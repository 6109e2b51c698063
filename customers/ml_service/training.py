"""Fit a forest on a CSV in the public bank-churn layout, judge it by cross-validation, and package it.

Imported by the `train_model` command alone: scikit-learn at the top of a module is allowed here and nowhere else.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold

from .encoding import Encodings, encode_rows
from .errors import InputError
from .packaging import prepare
from .schema import BANK_SPELLING, CATEGORIES, FEATURES, GEOGRAPHIES

DEFAULT_SEED = 20
DEFAULT_TREES = 200
LABELS = ("Exited", "exited", "churn")
_FOLDS, _REPEATS = 5, 3

# What won on the public table (docs/model.md). No class weights: they ruin the probabilities.
SETTINGS: Mapping[str, Any] = {
    "criterion": "entropy",
    "max_leaf_nodes": 128,
    "min_samples_leaf": 5,
    "max_features": 4,
    "max_samples": 0.7,
}
# What `search` tries beside the settings above.
_CANDIDATES: tuple[Mapping[str, Any], ...] = (
    {},
    {"max_features": 3},
    {"max_leaf_nodes": 96},
    {"max_leaf_nodes": 160, "min_samples_leaf": 4},
)

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]
Metrics = dict[str, dict[str, float]]


class TrainingDataError(ValueError):
    """The CSV cannot be trained on; the message names the line and the column."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """n customers in FEATURES order, words included, and whether each left (1) or stayed (0)."""

    rows: Sequence[tuple[Any, ...]]
    labels: Labels


@dataclass(frozen=True, eq=False)
class Trained:
    """A fitted forest as bytes of a model.pkl, with its label codes and what model.json tells about it."""

    data: bytes
    encodings: Encodings
    metadata: Mapping[str, Any]


def train(
    csv_path: str | Path, *, seed: int = DEFAULT_SEED, trees: int = DEFAULT_TREES, search: bool = False
) -> Trained:
    """Fit on all rows of the CSV. The same file, seed and scikit-learn give the same forest.

    The metrics come from 5-fold stratified cross-validation, repeated three times with other splits. With `search`, a
    few settings are compared by it first. Raises TrainingDataError.
    """
    data = read_csv(Path(csv_path))
    tried = [{**SETTINGS, **candidate} for candidate in (_CANDIDATES if search else _CANDIDATES[:1])]
    judged = [(cross_validate(data, settings, seed=seed, trees=trees), settings) for settings in tried]
    metrics, settings = max(judged, key=lambda pair: pair[0]["roc_auc"]["mean"])
    encodings = learn_encodings(data)
    model = _fit(data, encodings, settings, seed=seed, trees=trees)
    return Trained(_dump(model), encodings, _metadata(data, settings, metrics, seed))


def save(trained: Trained, assets_dir: str | Path) -> dict[str, Any]:
    """Write model.pkl, model.json and the flat arrays into the directory. Returns the model.json's content."""
    return prepare(trained.data, trained.encodings, trained.metadata).install(assets_dir)


def read_csv(path: Path) -> TrainingData:
    """Read the nine columns and the label by name, in the bank's spelling or ours; further columns are ignored."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TrainingDataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TrainingDataError(f"{path} is not UTF-8 text; save it as a UTF-8 CSV") from None
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=header.count))
    places = _places([name.strip() for name in next(reader, [])])
    lines = [line for line in reader if line]
    rows = [_row(line, places, number) for number, line in enumerate(lines, start=2)]
    labels = [_label(line[places["label"]], number) for number, line in enumerate(lines, start=2)]
    return _checked(TrainingData(rows, np.array(labels, dtype=np.int64)))


def _places(header: Sequence[str]) -> dict[str, int]:
    """Return the column index of each field, and of the label."""
    places = {BANK_SPELLING.get(name, name): index for index, name in enumerate(header)}
    missing = [name for name in FEATURES if name not in places]
    label = next((name for name in LABELS if name in places), None)
    if label is None:
        missing.append(LABELS[0])
    if missing:
        raise TrainingDataError(f"the header lacks {', '.join(missing)}; it has {', '.join(header) or 'no columns'}")
    return {**places, "label": places[str(label)]}


def _row(line: Sequence[str], places: Mapping[str, int], number: int) -> tuple[Any, ...]:
    if len(line) <= max(places.values()):
        raise TrainingDataError(f"line {number} has {len(line)} columns, fewer than the header")
    return tuple(_value(line[places[name]].strip(), name, number) for name in FEATURES)


def _value(text: str, name: str, number: int) -> str | float:
    if name in CATEGORIES:
        return text
    try:
        return float(text)
    except ValueError:
        raise TrainingDataError(f"line {number}: {name} is {text!r}, expected a number") from None


def _label(text: str, number: int) -> int:
    if text.strip() not in {"0", "1", "0.0", "1.0"}:
        raise TrainingDataError(f"line {number}: the label is {text!r}, expected 0 (stayed) or 1 (left)")
    return int(float(text))


def _checked(data: TrainingData) -> TrainingData:
    try:
        encode_rows(data.rows, Encodings())
    except InputError as error:
        raise TrainingDataError(f"line {(error.row or 0) + 2}: {error.message}") from None
    if min(np.bincount(data.labels, minlength=2)) < _FOLDS:
        raise TrainingDataError(f"at least {_FOLDS} customers who left and {_FOLDS} who stayed are needed")
    return data


def learn_encodings(data: TrainingData) -> Encodings:
    """Code countries by how many of their customers left, fewest first: one threshold then separates the risky ones."""
    countries = np.array([row[FEATURES.index("geography")] for row in data.rows])
    rates = {name: _rate(data.labels[countries == name]) for name in GEOGRAPHIES}
    ranked = sorted(GEOGRAPHIES, key=lambda name: (rates[name], name))
    return Encodings(geography={name: code for code, name in enumerate(ranked)})


def _rate(labels: Labels) -> float:
    return float(labels.mean()) if len(labels) else 0.0


def cross_validate(
    data: TrainingData, settings: Mapping[str, Any], *, seed: int, trees: int, repeats: int = _REPEATS
) -> Metrics:
    """Return mean and standard deviation over all folds of each metric; the codes are learned inside each fold."""
    folds = RepeatedStratifiedKFold(n_splits=_FOLDS, n_repeats=repeats, random_state=seed)
    results: dict[str, list[float]] = {name: [] for name in _METRICS}
    for fitted_on, judged_on in folds.split(data.labels, data.labels):
        part, rest = _part(data, fitted_on), _part(data, judged_on)
        encodings = learn_encodings(part)
        model = _fit(part, encodings, settings, seed=seed, trees=trees)
        scores = model.predict_proba(encode_rows(rest.rows, encodings))[:, 1]
        for name, metric in _METRICS.items():
            results[name].append(float(metric(rest.labels, scores)))
    return {name: {"mean": float(np.mean(values)), "std": float(np.std(values))} for name, values in results.items()}


def _part(data: TrainingData, indices: NDArray[np.int64]) -> TrainingData:
    return TrainingData([data.rows[index] for index in indices], data.labels[indices])


def recall_at_tenth(labels: Labels, scores: Scores) -> float:
    """Return the share of those who left that is found among the tenth with the highest scores."""
    riskiest = np.argsort(-scores, kind="stable")[: max(1, len(scores) // 10)]
    return float(labels[riskiest].sum() / labels.sum())


_METRICS: Mapping[str, Callable[[Labels, Scores], Any]] = {
    "roc_auc": roc_auc_score,
    "pr_auc": average_precision_score,
    "brier": brier_score_loss,
    "log_loss": log_loss,
    "recall_at_10_percent": recall_at_tenth,
}


def _fit(
    data: TrainingData, encodings: Encodings, settings: Mapping[str, Any], *, seed: int, trees: int
) -> RandomForestClassifier:
    model = RandomForestClassifier(n_estimators=trees, random_state=seed, n_jobs=-1, **settings)
    model.fit(encode_rows(data.rows, encodings), data.labels)
    model.n_jobs = None  # -1 would be stored in the pickle and make threads for a single row
    return model


def _dump(model: RandomForestClassifier) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=3)
    return buffer.getvalue()


def _metadata(data: TrainingData, settings: Mapping[str, Any], metrics: Metrics, seed: int) -> dict[str, Any]:
    """Return what is worth knowing of the training; never a row of the data."""
    return {
        "sklearn_version": sklearn.__version__,
        "metrics": {"method": f"{_FOLDS}-fold stratified cross-validation, {_REPEATS} repeats", **metrics},
        "training": {
            "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows": len(data.labels),
            "churn_rate": _rate(data.labels),
            "seed": seed,
            "settings": dict(settings),
        },
    }
