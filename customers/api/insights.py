"""Read-only questions about one customer: how likely to leave, why, and what would change it."""

from dataclasses import asdict

from django.conf import settings

from customers.api.validation import WhatIfQuestion
from customers.ml_service import NOTE, best_changes, compare
from customers.ml_service.reasons.reasons import reasons_for
from customers.models import Customer
from customers.presentation.bands import band
from customers.presentation.numbers import format_money
from customers.presentation.training_range import describe_outside_training
from customers.releases.active import active_model
from customers.scoring import pause
from customers.scoring.claims import CustomerObjectedError


def of_customer(customer_id: int) -> dict[str, object]:
    """The stored score with its age, and for the fields as they are now the reasons, and what would lower the risk.

    While the row is stale the stored score still answers its former fields, and ``explained_score`` its present ones.
    Raises ``Customer.DoesNotExist``, ``CustomerObjectedError``, ``ModelError``, ``InputError``.
    """
    customer = get_scorable(customer_id)
    values = customer.features()
    forest, release = active_model()
    explanation = forest.explain_one(values)
    protected = settings.PROTECTED_FIELDS
    reasons = reasons_for(explanation, protected=protected, format_money=format_money)
    score = customer.churn_risk_score
    return {
        "customer_id": customer.pk,
        "external_id": customer.external_id or None,
        "churn_risk_score": score,
        "value_at_risk": customer.value_at_risk,
        "band": None if score is None else band(score),
        "current": customer.is_current(),
        "paused": bool(pause.notice()),
        "scored_at": customer.scored_at,
        "model_release": customer.scored_by_id,
        "explained_score": explanation.score,
        "explained_by": release.pk,
        "base_value": explanation.base_value,
        "contributions": explanation.contributions,
        "reasons": [asdict(reason) for reason in reasons],
        "suggestions": [
            {
                "code": it.code,
                "text": it.text,
                "changes": it.changes,
                "score_after": it.score_after,
                "band_after": band(it.score_after),
                "points_gained": it.points_gained,
            }
            for it in best_changes(forest, values, protected=protected, format_money=format_money)
        ],
        "outside_training": describe_outside_training(values, forest.metadata),
        "caveat": NOTE,
    }


def answer_what_if(question: WhatIfQuestion) -> dict[str, object]:
    """The active model's score of these values, and with the changes asked for. Nothing is stored.

    Raises ``Customer.DoesNotExist``, ``CustomerObjectedError``, ``ModelError``; ``InputError`` when a stored customer
    can't be scored.
    """
    stored = question.customer_id
    values = question.customer if stored is None else get_scorable(stored).features()
    forest, release = active_model()
    answer = compare(forest, values, question.changes)
    return {
        "customer_id": stored,
        "changes": answer.changes,
        "score_before": answer.score_before,
        "band_before": band(answer.score_before),
        "score_after": answer.score_after,
        "band_after": band(answer.score_after),
        "change": answer.delta,
        "model_release": release.pk,
        "caveat": answer.caveat,
    }


def get_scorable(customer_id: int) -> Customer:
    """The stored customer. Raises ``Customer.DoesNotExist`` in words, and ``CustomerObjectedError``."""
    try:
        customer = Customer.objects.get(pk=customer_id)
    except Customer.DoesNotExist:
        raise Customer.DoesNotExist(f"There is no customer {customer_id}.") from None
    if customer.objected_at is not None:
        raise CustomerObjectedError(customer_id)
    return customer
