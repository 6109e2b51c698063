"""How good scores are against who left: of training, by cross-validation, and of stored scores, by outcomes.

All functions take n labels, true or 1 for those who left, and (n,) scores in [0, 1].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.bool_ | np.int64]
Scores = NDArray[np.float64]

# With fewer who left, or fewer who stayed, the figures would show chance more than the model.
FEWEST = 50
CALIBRATION_BINS = 10
SMALLEST_SCORE = 1e-4  # a forest gives 0 and 1, whose logits are infinite


@dataclass(frozen=True)
class CalibrationBin:
    """Customers of similar scores: their mean score, and the share of them that left."""

    customers: int
    mean_score: float
    share_left: float


@dataclass(frozen=True)
class Performance:
    """The figures of scores against what happened.

    `roc_auc_error` is one standard error. `lift` is the share that left among the riskiest tenth over that among all.
    `calibration_error` is the mean distance of score and share over the bins of `calibration`.
    """

    roc_auc: float
    roc_auc_error: float
    pr_auc: float
    brier: float
    lift: float
    calibration_error: float
    calibration: list[CalibrationBin]


def performance(left: Sequence[bool], scores: Sequence[float]) -> Performance | None:
    """Return the figures of n scores (probabilities) against what happened; None when there are too few to judge."""
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score  # late: seconds of import

    labels, values = np.array(left, dtype=bool), np.array(scores, dtype=np.float64)
    if min(labels.sum(), (~labels).sum()) < FEWEST:
        return None
    auc = float(roc_auc_score(labels, values))
    return Performance(
        roc_auc=auc,
        roc_auc_error=roc_auc_error(auc, int(labels.sum()), int((~labels).sum())),
        pr_auc=float(average_precision_score(labels, values)),
        brier=float(brier_score_loss(labels, values)),
        lift=lift(labels, values),
        calibration_error=calibration_error(labels, values),
        calibration=calibration(labels, values),
    )


def roc_auc_error(auc: float, left: int, stayed: int) -> float:
    """Return the standard error of a ROC AUC: Hanley and McNeil, Radiology 143 (1982)."""
    of_left, of_stayed = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (left - 1) * (of_left - auc**2) + (stayed - 1) * (of_stayed - auc**2)
    return sqrt(max(variance, 0.0) / (left * stayed))


def calibrated(scores: Scores, slope: float) -> Scores:
    """Return (n,) probabilities of leaving for (n,) scores that are as far too timid (above 1) or extreme as `slope`.

    Cox (1958), "Two further applications of a model for binary regression"; the level of the scores is left as it is.
    """
    kept = np.clip(scores, SMALLEST_SCORE, 1 - SMALLEST_SCORE)
    found: Scores = 1 / (1 + ((1 - kept) / kept) ** slope)
    return found


def expected_roc_auc(scores: Scores, probabilities: Scores, weights: Scores) -> float:
    """Return the ROC AUC that n scores would have if each customer left with the probability given; 0.5 without any.

    `weights` (n,) are how many customers each stands for. The pairs of a leaver and a stayer that the scores put in the
    right order are counted by their probabilities, ties by half. Confidence-based performance estimation: NannyML's
    documentation, "Estimation of Performance of the Monitored Model", for ROC AUC.
    """
    distinct, place = np.unique(scores, return_inverse=True)
    left = np.bincount(place, weights * probabilities, minlength=len(distinct))
    stayed = np.bincount(place, weights * (1 - probabilities), minlength=len(distinct))
    pairs = left.sum() * stayed.sum()
    in_order = left * (np.cumsum(stayed) - stayed / 2)
    return float(in_order.sum() / pairs) if pairs else 0.5


def lift(labels: Labels, scores: Scores) -> float:
    """Return how many times more customers left in the tenth with the highest scores than in a tenth drawn blindly."""
    leavers, size = _riskiest_tenth(labels, scores)
    return float(leavers / size / labels.mean())


def recall(labels: Labels, scores: Scores) -> float:
    """Return the share of those who left that is found among the tenth with the highest scores."""
    return float(_riskiest_tenth(labels, scores)[0] / labels.sum())


def _riskiest_tenth(labels: Labels, scores: Scores) -> tuple[float, int]:
    """Return the leavers among the highest scores, and how many scores these are.

    Of the leavers that tie for the last places a proportional part counts.
    """
    size = max(1, len(scores) // 10)
    last = np.partition(scores, -size)[-size]
    above, tied = scores > last, scores == last
    return float(labels[above].sum() + labels[tied].mean() * (size - above.sum())), size


def calibration(labels: Labels, scores: Scores) -> list[CalibrationBin]:
    """Return bins of equally many customers, the lowest scores first: ten, or fewer, for equal scores share a bin."""
    edges = np.quantile(scores, np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1])
    bins = np.searchsorted(edges, scores, side="left")
    return [
        CalibrationBin(int(inside.sum()), float(scores[inside].mean()), float(labels[inside].mean()))
        for inside in (bins == number for number in np.unique(bins))
    ]


def calibration_error(labels: Labels, scores: Scores) -> float:
    """Return the expected calibration error: how far mean score and share of leavers differ, mean over the bins.

    Expected calibration error as in Naeini et al. (2015), "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning"; bins of equally many customers as in Nguyen and O'Connor (2015), "Posterior calibration and exploratory
    analysis for natural language processing models". A perfect model does not get 0 but what chance leaves: some 0.02
    with 2,000 customers.
    """
    bins = calibration(labels, scores)
    return sum(abs(it.mean_score - it.share_left) * it.customers for it in bins) / len(scores)
