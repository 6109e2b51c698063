"""Which figures a trained model is judged by, and what they are called."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from customers.ml_service.performance import SMALLEST_SCORE, calibration_error, lift, recall

from .data import Labels, Scores


def calibration_slope(labels: Labels, scores: Scores) -> float:
    """Return the slope of a logistic regression of the labels on the scores' logits.

    1 is right, above 1 the scores are too timid, below 1 too extreme. Cox (1958), "Two further applications of a model
    for binary regression".
    """
    clipped = np.clip(scores, SMALLEST_SCORE, 1 - SMALLEST_SCORE)
    return float(LogisticRegression(C=np.inf).fit(np.log(clipped / (1 - clipped))[:, None], labels).coef_[0, 0])


class Figure(NamedTuple):
    """One figure: its name for people, which direction is good, and how it is measured."""

    title: str
    higher_is_better: bool
    measure: Callable[[Labels, Scores], Any]


FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        "roc_auc": Figure("ROC AUC", True, roc_auc_score),
        "pr_auc": Figure("PR AUC", True, average_precision_score),
        "brier": Figure("Brier score", False, brier_score_loss),
        "log_loss": Figure("log loss", False, log_loss),
        "calibration_error": Figure("calibration error", False, calibration_error),
        "lift_at_10_percent": Figure("lift at 10 %", True, lift),
        "recall_at_10_percent": Figure("recall at 10 %", True, recall),
    }
)
