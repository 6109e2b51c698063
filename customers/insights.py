"""Read-only questions about one customer: how likely to leave, and why."""

from dataclasses import asdict

from customers import paused
from customers.ml_service.reasons import reasons_for
from customers.ml_service.schema import FEATURES, Explanation
from customers.models import Customer
from customers.releases import active_model


def of_customer(customer_id: int) -> dict[str, object]:
    """The stored score with its age, and the reasons for the fields as they are now.

    While the row is stale the stored score still answers its former fields, and ``explained_score`` its present ones.
    Raises ``Customer.DoesNotExist``, ``ModelError``, ``InputError``.
    """
    customer = Customer.objects.get(pk=customer_id)
    explanation = explain_customer(customer)
    return {
        "customer_id": customer.pk,
        "churn_risk_score": customer.churn_risk_score,
        "current": customer.is_current(),
        "paused": bool(paused.notice()),
        "scored_at": customer.scored_at,
        "model_release": customer.scored_by_id,
        "explained_score": explanation.score,
        "base_value": explanation.base_value,
        "contributions": explanation.contributions,
        "reasons": [asdict(reason) for reason in reasons_for(explanation)],
    }


def explain_customer(customer: Customer) -> Explanation:
    """The active model's answer to the fields as they are, feature by feature. Nothing is stored."""
    forest, _release = active_model()
    return forest.explain_one({field: getattr(customer, field) for field in FEATURES})
