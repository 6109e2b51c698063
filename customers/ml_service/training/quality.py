"""How good scores are, in the figures that the field uses. All take (n,) labels 0 and 1 and (n,) scores in [0, 1]."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from .data import Labels, Scores

_BINS = 10
_SHARE = 0.1
_SMALLEST_SCORE = 1e-4  # a forest says 0 and 1, whose logits are infinite


def calibration_error(labels: Labels, scores: Scores) -> float:
    """Return the expected calibration error: how far mean score and share of leavers differ, mean over ten bins.

    Expected calibration error as in Naeini et al. (2015), "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning"; bins of equally many customers as in Nguyen and O'Connor (2015), "Posterior calibration and exploratory
    analysis for natural language processing models". Equal scores share a bin. A perfect model does not get 0 but
    what chance leaves: some 0.02 with 2,000 customers.
    """
    edges = np.quantile(scores, np.linspace(0, 1, _BINS + 1)[1:-1])
    bins = np.searchsorted(edges, scores, side="left")
    return float(np.abs(np.bincount(bins, weights=scores - labels)).sum() / len(scores))


def calibration_slope(labels: Labels, scores: Scores) -> float:
    """Return the slope of a logistic regression of the labels on the scores' logits.

    1 is right, above 1 the scores are too timid, below 1 too extreme. Cox (1958), "Two further applications of a model
    for binary regression".
    """
    clipped = np.clip(scores, _SMALLEST_SCORE, 1 - _SMALLEST_SCORE)
    logits = np.log(clipped / (1 - clipped))
    return float(LogisticRegression(C=np.inf).fit(logits[:, None], labels).coef_[0, 0])


def recall_at_tenth(labels: Labels, scores: Scores) -> float:
    """Return the share of those who left that is found among the tenth with the highest scores."""
    return float(_leavers_in_tenth(labels, scores) / labels.sum())


def lift_at_tenth(labels: Labels, scores: Scores) -> float:
    """Return how many times more customers left in the tenth with the highest scores than in a tenth drawn blindly."""
    return float(_leavers_in_tenth(labels, scores) / _tenth(scores) / labels.mean())


def _tenth(scores: Scores) -> int:
    return max(1, int(len(scores) * _SHARE))


def _leavers_in_tenth(labels: Labels, scores: Scores) -> float:
    """Return the leavers among the highest scores; of those that tie for the last places, a proportional part."""
    size = _tenth(scores)
    last = np.partition(scores, -size)[-size]
    above, tied = scores > last, scores == last
    return float(labels[above].sum() + labels[tied].mean() * (size - above.sum()))


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
        "lift_at_10_percent": Figure("lift at 10 %", True, lift_at_tenth),
        "recall_at_10_percent": Figure("recall at 10 %", True, recall_at_tenth),
    }
)
