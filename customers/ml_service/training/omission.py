"""What a bank gives up if a field is not used: the ROC AUC of forests that were fitted without it.

That is what a choice of protected fields costs if the bank goes further than keeping them out of its reasons. Shuffling
a field (permutation importance) shows more, for a forest that never had it finds part of it in the other fields.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from customers.ml_service.schema import FEATURES

from .data import TrainingData
from .fitting import Fit
from .validation import FOLDS, Fold, ReportProgress, fold_of, keep_quiet, splits_of

METHOD = f"{FOLDS}-fold stratified cross-validation, each forest fitted without the field on the same folds"
_DIGITS = 5


def judge_without(data: TrainingData, fit: Fit, *, seed: int, progress: ReportProgress = keep_quiet) -> dict[str, Any]:
    """Return the ROC AUC with all fields, and for each field that without it, and how much lower that is.

    Judged on the first of the repeats that `judge` uses; means over its folds, `std` of the differences.
    """
    folds = [fold_of(data, split) for split in splits_of(data.labels, seed)[:FOLDS]]
    complete = np.array([_roc_auc(fit, fold, range(len(FEATURES))) for fold in folds])
    fields = {}
    for done, name in enumerate(FEATURES):
        progress("Judging without a field", done, len(FEATURES))
        kept = [index for index, other in enumerate(FEATURES) if other != name]
        without = np.array([_roc_auc(fit, fold, kept) for fold in folds])
        lost = complete - without
        fields[name] = {"roc_auc": _mean(without), "lost": _mean(lost), "std": round(float(lost.std()), _DIGITS)}
    return {"method": METHOD, "roc_auc": _mean(complete), "fields": fields}


def _roc_auc(fit: Fit, fold: Fold, columns: Sequence[int]) -> float:
    columns = list(columns)
    model = fit(fold.customers[:, columns], fold.labels)
    return float(roc_auc_score(fold.unseen_labels, model.predict_proba(fold.unseen[:, columns])[:, 1]))


def _mean(values: Any) -> float:
    return round(float(np.mean(values)), _DIGITS)
