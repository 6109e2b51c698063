"""Which settings? The smallest forest that is as good as the best, for size is what scoring and explaining cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import ParameterGrid

from customers.ml_service.forest.encoding import Matrix

from .data import Scores, TrainingData
from .fitting import SETTINGS, fit_forest
from .validation import Fold, ReportProgress, fold_of, keep_quiet, splits_of

# All combinations are tried, each with these numbers of trees. Not among them is what made no difference: how many of
# the customers a tree gets (0.5 to 0.9).
GRID: Mapping[str, Sequence[Any]] = MappingProxyType(
    {
        "max_leaf_nodes": (48, 64, 80, 128),
        "min_samples_leaf": (5, 15),
        "max_features": (3, 4, 5),
    }
)
TREES = (50, 75, 100, 150, 200)
TOLERANCE = 0.001  # of ROC AUC; a ninth of its spread over the folds


@dataclass(frozen=True)
class Candidate:
    """Settings of a forest, with its ROC AUC and its number of nodes, means over the folds."""

    settings: Mapping[str, Any]
    roc_auc: float
    nodes: float


@dataclass(frozen=True)
class Found:
    """The best of all candidates, and the smallest that is as good but for TOLERANCE."""

    tried: int
    best: Candidate
    chosen: Candidate

    def as_metadata(self) -> dict[str, Any]:
        return {**asdict(self), "tolerance": TOLERANCE}


def find_settings(
    data: TrainingData, *, seed: int, trees: Sequence[int] = TREES, progress: ReportProgress = keep_quiet
) -> Found:
    """Try all settings of GRID by cross-validation, on other repeats than those that `judge` uses."""
    folds = [fold_of(data, split) for split in splits_of(data.labels, seed, choosing=True)]
    grid = [{**SETTINGS, **settings} for settings in ParameterGrid(dict(GRID))]
    candidates: list[Candidate] = []
    for done, settings in enumerate(grid):
        progress("Searching", done, len(grid))
        candidates += try_out(settings, folds, sorted(trees), seed)
    return choose(candidates)


def choose(candidates: Sequence[Candidate]) -> Found:
    best = max(candidates, key=lambda candidate: candidate.roc_auc)
    as_good = [candidate for candidate in candidates if candidate.roc_auc >= best.roc_auc - TOLERANCE]
    smallest = min(as_good, key=lambda candidate: (candidate.nodes, -candidate.roc_auc))
    return Found(len(candidates), best, smallest)


def try_out(settings: Mapping[str, Any], folds: Sequence[Fold], trees: Sequence[int], seed: int) -> list[Candidate]:
    """Judge forests of several sizes, smallest first. One is fitted per fold: its first trees are the smaller ones."""
    roc_auc, nodes = np.empty((2, len(folds), len(trees)))
    for row, fold in enumerate(folds):
        largest = {**settings, "n_estimators": trees[-1]}
        model = fit_forest(fold.customers, fold.labels, settings=largest, seed=seed)
        for column, (scores, size) in enumerate(growing(model, fold.unseen, trees)):
            roc_auc[row, column] = roc_auc_score(fold.unseen_labels, scores)
            nodes[row, column] = size
    means = zip(trees, roc_auc.mean(axis=0), nodes.mean(axis=0), strict=True)
    return [Candidate({**settings, "n_estimators": count}, float(auc), float(size)) for count, auc, size in means]


def growing(model: RandomForestClassifier, unseen: Matrix, trees: Sequence[int]) -> Iterator[tuple[Scores, int]]:
    """Yield the scores and the number of nodes of the forest's first trees, for each of these ascending numbers."""
    total, nodes = np.zeros(len(unseen)), 0
    for count, tree in enumerate(model.estimators_, start=1):
        total += tree.predict_proba(unseen)[:, 1]
        nodes += tree.tree_.node_count
        if count in trees:
            yield total / count, nodes
