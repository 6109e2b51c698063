"""Whether the scores of a forest are plausible: what no checksum shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from customers.ml_service.errors import ModelImplausibleError
from customers.ml_service.forest.compiled import FlatForest, score_matrix
from customers.ml_service.forest.encoding import Encodings, encode_rows

from . import golden

_CUSTOMERS = 500
# Scores of different customers that all lie this close together are one and the same answer.
_SAME = 1e-9
CHANCE = 0.5  # the ROC AUC of a coin


@dataclass(frozen=True)
class ScoreRange:
    """Scores of generated customers, and the ROC AUC that model.json gives, if it gives one."""

    lowest: float
    mean: float
    highest: float
    roc_auc: float | None

    def __str__(self) -> str:
        spread = f"generated customers score {self.lowest:.3f} to {self.highest:.3f}, mean {self.mean:.3f}"
        return spread if self.roc_auc is None else f"{spread}; ROC AUC {self.roc_auc:.3f}"


def check(flat: FlatForest, encodings: Encodings, metadata: Mapping[str, Any]) -> ScoreRange:
    """ModelImplausibleError when scores are no probabilities, all the same, or (by model.json) worse than chance."""
    scores = score_matrix(flat, encode_rows(golden.generate_rows(_CUSTOMERS, encodings=encodings), encodings))
    lowest, highest = float(scores.min()), float(scores.max())
    if not (lowest >= 0.0 and highest <= 1.0):  # NaN is in no interval
        raise ModelImplausibleError(f"scores of generated customers go from {lowest} to {highest}: no probabilities")
    if highest - lowest < _SAME:
        raise ModelImplausibleError(
            f"the forest gives every customer the same score, {highest:.3f}; fit it on customers who differ, "
            "both leavers and stayers"
        )
    return ScoreRange(lowest, float(np.mean(scores)), highest, _roc_auc(metadata))


def _roc_auc(metadata: Mapping[str, Any]) -> float | None:
    metrics = metadata.get("metrics")
    stored = metrics.get("roc_auc") if isinstance(metrics, dict) else None
    stored = stored.get("mean") if isinstance(stored, dict) else stored
    if stored is None:
        return None
    if not isinstance(stored, int | float) or not CHANCE <= stored <= 1.0:
        raise ModelImplausibleError(
            f"model.json says that the ROC AUC is {stored!r}: below {CHANCE} the risky are taken for the safe "
            "(labels the wrong way round?), above 1 is impossible; correct the model or its model.json"
        )
    return float(stored)
