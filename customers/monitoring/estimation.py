"""How good the scores should be on the customers of today, estimated before it is known who leaves.

Confidence-based performance estimation, by the method that NannyML publishes (its documentation, "Estimation of
Performance of the Monitored Model"): if the model's probabilities hold, they say how many pairs of a leaver and a
stayer the scores put in the right order. It follows a portfolio whose mix of customers has changed. It can't see that
customers of the same kind have begun to behave otherwise (concept drift): that takes outcomes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from customers.ml_service.performance import calibrated, expected_roc_auc, roc_auc_error
from customers.models import ModelRelease
from customers.scoring.staleness import STALE
from customers.sql import fetch_rows

# One pass and one small hash table. Scores that are nearer to each other than this count as equal, which moves the
# estimate by less than the last digit that is shown.
BINS = 10_000
COUNT = f"""
SELECT avg(churn_risk_score), count(*)
FROM customers_customer AS customer
WHERE objected_at IS NULL AND ({STALE}) IS FALSE
GROUP BY width_bucket(churn_risk_score, 0, 1, {BINS})
"""
NO_CONCEPT_DRIFT = (
    "An estimate from the scores alone. It follows a changed mix of customers; it cannot see that customers of the "
    "same kind behave otherwise than in training (concept drift). Check it with outcomes: manage.py evaluate_model."
)


class NothingToEstimateError(Exception):
    """There is no score of the active model. The message is for staff, and says what to do."""


@dataclass(frozen=True)
class Estimate:
    """What to expect of the active release's scores. Shares are probabilities.

    `slope` is the calibration slope of the release, by which its scores were corrected; None where it keeps none.
    """

    release: int
    customers: int
    slope: float | None
    share_leaving: float
    roc_auc: float
    roc_auc_error: float  # one standard error, as if outcomes were drawn by the probabilities
    roc_auc_in_training: float | None


def estimate() -> Estimate:
    """Estimate from all current scores. Raises NothingToEstimateError; changes nothing."""
    release = ModelRelease.objects.order_by("-id").first()
    if release is None:
        raise NothingToEstimateError("No model has been in service yet: start a worker with manage.py run_worker.")
    rows = list(fetch_rows(COUNT, {"release": release.pk}))
    if not rows:
        raise NothingToEstimateError(f"Release {release.pk} has no current score yet: manage.py freshness says why.")
    scores, customers = np.array(rows, dtype=np.float64).T
    slope = figure_of(release, "calibration", "slope")
    probabilities = scores if slope is None else calibrated(scores, slope)
    total, leaving = customers.sum(), float(customers @ probabilities)
    roc_auc = expected_roc_auc(scores, probabilities, customers)
    return Estimate(
        release=release.pk,
        customers=int(total),
        slope=slope,
        share_leaving=leaving / total,
        roc_auc=roc_auc,
        roc_auc_error=roc_auc_error(roc_auc, max(1, round(leaving)), max(1, round(total - leaving))),
        roc_auc_in_training=figure_of(release, "roc_auc", "mean"),
    )


def figure_of(release: ModelRelease, figure: str, part: str) -> float | None:
    """A figure that training measured; None where the file's metadata, which may say anything, has none."""
    found: object = release.metadata
    for key in ("metrics", figure, part):
        found = found.get(key) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) and found > 0 else None
