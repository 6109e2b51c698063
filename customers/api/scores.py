"""A stored score as programs read it, in lists of many. Without the customer's name: the id says who it is."""

from dataclasses import asdict
from typing import Any

from customers.presentation.bands import band
from customers.presentation.reasons import reasons_of
from customers.presentation.score_state import is_current

Json = dict[str, object]


def score_entry(customer: Any) -> Json:
    """The stored score of a customer who brought the active release along, and the reasons that were stored with it.

    While the score is not that of the row's present fields there are no reasons.
    """
    score = customer.churn_risk_score
    return {
        "customer_id": customer.pk,
        "churn_risk_score": score,
        "value_at_risk": customer.value_at_risk,
        "band": None if score is None else band(score),
        "current": is_current(customer),
        "version": customer.scored_version,
        "scored_at": customer.scored_at,
        "model_release": customer.scored_by_id,
        "reasons": [asdict(reason) for reason in reasons_of(customer)],
    }
