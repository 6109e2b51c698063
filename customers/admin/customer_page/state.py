"""How far the score of a customer can be relied upon, in sentences, and what to do where it cannot."""

from typing import Any

from customers.models import Exclusion, ScoringFailure
from customers.presentation.durations import format_time
from customers.presentation.score_state import UP_TO_DATE, describe_wait, exclusion_of, is_current
from customers.scoring import pause


def describe_state(customer: Any) -> str:
    """Of a row that brought its active release and its failure with it; without a full stop."""
    if is_current(customer):
        return UP_TO_DATE
    if customer.objected_at is not None:
        objected = f"Objected to profiling on {format_time(customer.objected_at)}"
        return f"{objected}; no score is calculated or kept while the objection stands"
    if exclusion_of(customer) is not None:
        return describe_exclusion(customer)
    return describe_pending(customer)


def describe_exclusion(customer: Any) -> str:
    """Who or what has excluded the customer from scoring: staff by name and time, or the model, with its error."""
    error = str(customer.failure_error).removesuffix(".")
    if exclusion_of(customer) == Exclusion.WORD:
        return f"Excluded from scoring: {error}"  # which names model and word
    if exclusion_of(customer) == Exclusion.MODEL:
        return f"Excluded from scoring: no score could be calculated ({error})"
    excluded = ScoringFailure.objects.filter(pk=customer.pk).values_list("last_failed_at", flat=True).first()
    at = f" on {format_time(excluded)}" if excluded else ""
    _, by, user = error.rpartition(" by ")  # as the action of the list writes it
    return f"Excluded from scoring by {user}{at}" if by else f"Excluded from scoring by staff{at}: {error}"


def describe_pending(customer: Any) -> str:
    if customer.failure_error is not None:
        return describe_retry(customer)
    if customer.churn_risk_score is None and customer.stale_since is not None:
        return f"Score pending since {format_time(customer.stale_since)}"
    return describe_wait(customer)


def describe_retry(customer: Any) -> str:
    if customer.failure_reason == Exclusion.PERSON:
        return "Scoring resumed; new score pending"
    again = format_time(customer.failure_retry_at, seconds=True)
    return f"No score could be calculated ({customer.failure_error.removesuffix('.')}); next attempt on {again}"


def describe_next_step() -> str:
    """What to do about a pending score: a worker brings it, unless scoring is paused."""
    return pause.notice() or "Reload the page to see it."
