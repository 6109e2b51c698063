"""How good scores were, once it is known who left."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.bool_]
Scores = NDArray[np.float64]

# With fewer who left, or fewer who stayed, the figures would say more of chance than of the model.
FEWEST = 50
CALIBRATION_BINS = 10
RISKIEST = 0.1


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
    `calibration` has ten bins of equal size, the lowest scores first, and `calibration_error` is the mean distance of
    score and share over them.
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
    bins = calibration(labels, values)
    return Performance(
        roc_auc=auc,
        roc_auc_error=roc_auc_error(auc, int(labels.sum()), int((~labels).sum())),
        pr_auc=float(average_precision_score(labels, values)),
        brier=float(brier_score_loss(labels, values)),
        lift=lift(labels, values),
        calibration_error=sum(abs(it.mean_score - it.share_left) * it.customers for it in bins) / len(labels),
        calibration=bins,
    )


def roc_auc_error(auc: float, left: int, stayed: int) -> float:
    """Return the standard error of a ROC AUC: Hanley and McNeil, Radiology 143 (1982)."""
    of_left, of_stayed = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (left - 1) * (of_left - auc**2) + (stayed - 1) * (of_stayed - auc**2)
    return sqrt(max(variance, 0.0) / (left * stayed))


def lift(labels: Labels, scores: Scores) -> float:
    """Return how many times more often the riskiest tenth left than all did. Of those who share the score at which the
    tenth ends, as large a part as it has room for counts."""
    room = max(1, round(RISKIEST * len(scores)))
    last = np.sort(scores)[-room]
    above, tied = scores > last, scores == last
    found = labels[above].sum() + (room - above.sum()) * labels[tied].mean()
    return float(found / room / labels.mean())


def calibration(labels: Labels, scores: Scores) -> list[CalibrationBin]:
    """Return the bins, the lowest scores first."""
    parts = np.array_split(np.argsort(scores, kind="stable"), CALIBRATION_BINS)
    return [CalibrationBin(len(part), float(scores[part].mean()), float(labels[part].mean())) for part in parts]
