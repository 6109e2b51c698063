"""What a save did to the score, reported on the page that comes after it."""

import time
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest

from customers.admin.customer_page.state import describe_state
from customers.models import Customer, ScoreRecord
from customers.presentation.bands import band
from customers.presentation.durations import format_age
from customers.presentation.numbers import format_percent
from customers.presentation.score_state import is_current
from customers.scoring import pause
from customers.scoring.failures import with_failure

AWAITED = "customers.awaited_score"

# A worker that is not busy needs some 20 ms; one that is, or that is not there, shall not keep the editor waiting.
MOST_SECONDS = 1.0
FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.05


def expect(request: HttpRequest, customer_id: int, former: float | None) -> None:
    """Have the next page report what became of this customer's score.

    The save itself can't: it is not committed before its answer is made, and no worker sees it until then.
    """
    request.session[AWAITED] = {"customer": customer_id, "former": former}


def report(request: HttpRequest) -> Any:
    """Wait for the score that the last save of this session has called for, if one has, and report what it is.

    The page may be that of another customer, whom the worklist has brought next: messages name the customer.

    The customer whose new score was reported, or None.
    """
    awaited = request.session.pop(AWAITED, None)
    if awaited is None:
        return None
    customer = wait_for_score(awaited["customer"], patience=0.0 if pause.notice() else MOST_SECONDS)
    if customer is None:
        return None  # deleted meanwhile
    if is_current(customer):
        messages.success(request, describe_score(customer, awaited["former"]))
        return customer
    messages.warning(request, describe_missing_score(customer))
    return None


def wait_for_score(customer_id: int, patience: float) -> Any:
    """The customer as soon as its score is current or can't be given, or as it is when patience ends."""
    asked: Any = with_failure(Customer.objects.with_active_release()).filter(pk=customer_id)
    deadline, pause = time.monotonic() + patience, FIRST_PAUSE
    while (customer := asked.first()) is not None:
        if is_current(customer) or is_held_back(customer) or time.monotonic() >= deadline:
            break
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    return customer


def is_held_back(customer: Any) -> bool:
    """Whether no score comes for the present values: the customer has objected, or the model has failed."""
    return customer.objected_at is not None or customer.failure_error is not None


def describe_score(customer: Any, former: float | None) -> str:
    """``Customer 5: score updated 12.3 % → 45.1 % (medium), 18 ms after the change.``"""
    score = customer.churn_risk_score
    change = format_percent(score) if former is None else f"{format_percent(former)} → {format_percent(score)}"
    record = record_of(customer).first()
    changed_at = record and record.stale_since
    after = f", {format_age(changed_at, record.scored_at)} after the change" if record and changed_at else ""
    return f"Customer {customer.pk}: score updated {change} ({band(score)}){after}."


def record_of(customer: Customer) -> QuerySet[ScoreRecord]:
    """The score of the customer's present version: one who was added again begins with the first version again."""
    return ScoreRecord.objects.filter(customer_id=customer.pk, version=customer.version, arrived_at=customer.arrived_at)


def describe_missing_score(customer: Any) -> str:
    if is_held_back(customer):
        return f"Customer {customer.pk}: no new score. {describe_state(customer)}."
    if pause.notice():  # which the page itself reports
        return f"Customer {customer.pk}: new score pending until scoring is resumed."
    return f"Customer {customer.pk}: new score pending. Reload the customer's page to see it."
