"""Whether a customer's score is up to date, and why not, in words."""

from typing import Any

from django.utils import timezone

from customers.models import Exclusion
from customers.presentation.durations import format_age, format_day, format_time

UP_TO_DATE = "Up to date"
NOT_SCORED_YET = "Not scored yet"
EARLIER_MODEL = "Scored by an earlier model; update pending"
# Before that an age in seconds would be old when it is read.
JUST_NOW_SECONDS = 60


def is_current(customer: Any) -> bool:
    """As ``Customer.is_current``, for rows that brought the active release with them."""
    is_stale = customer.stale_since is not None or customer.scored_by_id != customer.active_release
    return not is_stale and customer.objected_at is None


def exclusion_of(customer: Any) -> Exclusion | None:
    """Why the customer is excluded from scoring until a person helps; for rows that brought their failure with them."""
    if customer.objected_at is not None:
        return Exclusion.OBJECTION
    if customer.failure_error is None or customer.failure_retry_at is not None:
        return None
    return Exclusion(customer.failure_reason)


def why_not_current(customer: Any) -> str:
    """For rows that brought their failure with them, if there is one."""
    match exclusion_of(customer):
        case Exclusion.OBJECTION:
            return f"Objected to profiling on {format_day(customer.objected_at)}"
        case Exclusion.PERSON:
            return str(customer.failure_error)  # which names the user
        case Exclusion.WORD:
            return f"Excluded from scoring: {customer.failure_word} not known to the model"
        case Exclusion.MODEL:
            return f"Excluded from scoring: {customer.failure_error}"
    if customer.failure_error is None:
        return describe_wait(customer)
    if customer.failure_reason == Exclusion.PERSON:
        return "Scoring resumed; new score pending"
    error = customer.failure_error.removesuffix(".")
    return f"No score could be calculated ({error}); next attempt on {format_time(customer.failure_retry_at)}"


def describe_score_state(customer: Any) -> str:
    """In as few words as fit into a row: up to date, or why not."""
    return UP_TO_DATE if is_current(customer) else why_not_current(customer)


def describe_wait(customer: Any) -> str:
    """Of a customer whom a worker will score: what is pending."""
    if customer.churn_risk_score is None:
        return NOT_SCORED_YET
    if customer.stale_since is None:
        return EARLIER_MODEL
    now = timezone.now()
    is_new = (now - customer.stale_since).total_seconds() < JUST_NOW_SECONDS
    since = "just now" if is_new else f"{format_age(customer.stale_since, now)} ago"
    return f"Data changed {since}; new score pending"
