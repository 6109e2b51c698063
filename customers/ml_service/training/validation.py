"""Repeated stratified cross-validation: every model judged on customers that it was not fitted on.

The repeats that judge are never those by which `search` chooses: of many settings, the one that looks best on some
splits has also been lucky with them (Cawley and Talbot, 2010, "On over-fitting in model selection and subsequent
selection bias in performance evaluation").
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import RepeatedStratifiedKFold

from customers.ml_service.forest.encoding import Matrix, encode_rows

from .data import Indices, Labels, Scores, TrainingData, learn_encodings, words_of
from .fitting import Fit
from .quality import FIGURES

FOLDS = 5
JUDGING_REPEATS = 3
CHOOSING_REPEATS = 2
METHOD = f"{FOLDS}-fold stratified cross-validation, {JUDGING_REPEATS} repeats"

Split = tuple[Indices, Indices]
# Called with what is being done, how many steps of it are done, and how many there are.
ReportProgress = Callable[[str, int, int], None]


def keep_quiet(what: str, done: int, total: int) -> None:
    """Show no progress."""


class Fold(NamedTuple):
    """Customers to fit on and customers to judge on, by codes that were learned on the former alone."""

    customers: Matrix
    labels: Labels
    unseen: Matrix
    unseen_labels: Labels


@dataclass(frozen=True, eq=False)
class JudgedModel:
    """How well a model does on unseen customers.

    `figures` holds mean and standard deviation over all folds of each of FIGURES. `out_of_fold` are the scores that
    the n customers got by models fitted without them, mean over the repeats.
    """

    figures: dict[str, dict[str, float]]
    out_of_fold: Scores


def splits_of(labels: Labels, seed: int, *, choosing: bool = False) -> list[Split]:
    """Return the splits by which models are judged, or those by which settings are chosen: none is among both."""
    repeats = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=JUDGING_REPEATS + CHOOSING_REPEATS, random_state=seed)
    splits = list(repeats.split(labels, labels))
    return splits[FOLDS * JUDGING_REPEATS :] if choosing else splits[: FOLDS * JUDGING_REPEATS]


def fold_of(data: TrainingData, split: Split) -> Fold:
    part, unseen = data.part(split[0]), data.part(split[1])
    encodings = learn_encodings(part, words_of(data))
    return Fold(encode_rows(part.rows, encodings), part.labels, encode_rows(unseen.rows, encodings), unseen.labels)


def judge(
    data: TrainingData, fits: Mapping[str, Fit], *, seed: int, progress: ReportProgress = keep_quiet
) -> dict[str, JudgedModel]:
    """Judge several models on the same folds."""
    splits = splits_of(data.labels, seed)
    scores: dict[str, list[Scores]] = {name: [] for name in fits}
    for done, split in enumerate(splits):
        progress("Judging", done, len(splits))
        fold = fold_of(data, split)
        for name, fit in fits.items():
            scores[name].append(fit(fold.customers, fold.labels).predict_proba(fold.unseen)[:, 1])
    return {name: _judged_model(data.labels, splits, by_fold) for name, by_fold in scores.items()}


def _judged_model(labels: Labels, splits: Sequence[Split], scores: Sequence[Scores]) -> JudgedModel:
    total = np.zeros(len(labels))
    values: dict[str, list[float]] = {name: [] for name in FIGURES}
    for (_, unseen), given in zip(splits, scores, strict=True):
        total[unseen] += given
        for name, figure in FIGURES.items():
            values[name].append(figure.measure(labels[unseen], given))
    figures = {name: {"mean": float(np.mean(those)), "std": float(np.std(those))} for name, those in values.items()}
    return JudgedModel(figures, total / JUDGING_REPEATS)
