"""From labelled customers to a judged forest, ready to be put in place."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import sklearn
from sklearn.ensemble import RandomForestClassifier

from customers.ml_service.fairness import THRESHOLDS
from customers.ml_service.files.assets import TRUSTED
from customers.ml_service.files.packaging import package_model
from customers.ml_service.files.pickles import sha256_of
from customers.ml_service.files.sanity import CHANCE
from customers.ml_service.forest.encoding import Encodings, encode_rows
from customers.ml_service.reference import describe

from .data import Scores, TrainingData, TrainingDataError, learn_encodings, refuse_unfit_words
from .diagnostics import diagnose
from .fitting import BASELINES, SETTINGS, fit_forest
from .leaks import refuse_copies
from .omission import judge_without
from .quality import calibration_slope
from .search import TREES, find_settings
from .validation import METHOD, JudgedModel, ReportProgress, judge, keep_quiet

DEFAULT_SEED = 20
FOREST = "forest"


@dataclass(frozen=True, eq=False)
class Trained:
    """A fitted forest as the bytes of a model.pkl, with its label codes and what model.json holds about it.

    `out_of_fold` are the scores that the n customers of `data` got from forests fitted without them.
    """

    pickled: bytes
    encodings: Encodings
    metadata: Mapping[str, Any]
    data: TrainingData
    out_of_fold: Scores

    @property
    def sha256(self) -> str:
        """The checksum of the model.pkl."""
        return sha256_of(self.pickled)


def train(
    data: TrainingData,
    *,
    seed: int = DEFAULT_SEED,
    trees: int | None = None,
    search: bool = False,
    thresholds: Sequence[float] = THRESHOLDS,
    progress: ReportProgress = keep_quiet,
) -> Trained:
    """Fit on all customers. The same customers, seed and scikit-learn give the same forest.

    The settings are those that won on the public table; with `search`, those that win on these customers. `trees`
    overrules how many trees there are; `thresholds` are where the bank's risk bands begin. Raises TrainingDataError, or
    InputError with the index of the row.
    """
    refuse_unfit_words(data)
    refuse_copies(data)
    settings, about_search = _settings(data, seed=seed, trees=trees, search=search, progress=progress)
    fit = partial(fit_forest, settings=settings, seed=seed)
    judged = judge(data, {FOREST: fit, **BASELINES}, seed=seed, progress=progress)
    encodings = learn_encodings(data)
    model = fit(encode_rows(data.rows, encodings), data.labels)
    refuse_chance(judged[FOREST])
    out_of_fold = judged[FOREST].out_of_fold
    metadata = {
        **_metadata(data, judged, {"seed": seed, "settings": dict(settings), **about_search}),
        "diagnostics": {
            **diagnose(model, encodings, data, out_of_fold, seed=seed, thresholds=thresholds),
            "without": judge_without(data, fit, seed=seed, progress=progress),
        },
        "reference": describe(data.rows, out_of_fold),
        TRUSTED: "fitted by train_model on the nine columns",
    }
    return Trained(_dump(model), encodings, metadata, data, out_of_fold)


def refuse_chance(judged: JudgedModel) -> None:
    """TrainingDataError when nothing was learned: such a forest could not be released either."""
    roc_auc = judged.figures["roc_auc"]["mean"]
    if roc_auc < CHANCE:
        raise TrainingDataError(
            f"The nine fields do not show who left: the ROC AUC of {roc_auc:.3f} is no better than chance."
        )


def save(trained: Trained, assets_dir: str | Path) -> dict[str, Any]:
    """Write model.pkl, model.json and the flat arrays into the directory. Returns the model.json's content."""
    return package_model(trained.pickled, trained.encodings, trained.metadata).install(assets_dir)


def _settings(
    data: TrainingData, *, seed: int, trees: int | None, search: bool, progress: ReportProgress
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return the settings to fit by, and what model.json holds of the search for them."""
    if not search:
        return ({**SETTINGS, "n_estimators": trees} if trees else SETTINGS), {}
    found = find_settings(data, seed=seed, trees=(trees,) if trees else TREES, progress=progress)
    return found.chosen.settings, {"search": found.as_metadata()}


def _dump(model: RandomForestClassifier) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=3)
    return buffer.getvalue()


def _metadata(data: TrainingData, judged: Mapping[str, JudgedModel], how: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is worth knowing of the training; never a row of the data."""
    forest = judged[FOREST]
    return {
        "sklearn_version": sklearn.__version__,
        "metrics": {
            "method": METHOD,
            **forest.figures,
            "calibration": {
                "mean_score": float(forest.out_of_fold.mean()),
                "slope": calibration_slope(data.labels, forest.out_of_fold),
            },
        },
        "baselines": {name: judged[name].figures for name in BASELINES},
        "training": {
            "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows": len(data.labels),
            "churn_rate": data.churn_rate,
            **how,
        },
    }
