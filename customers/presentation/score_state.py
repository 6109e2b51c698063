"""Whether a customer's score is current, and why not, in words."""

from typing import Any

from django.utils import timezone

from customers.models import Exclusion
from customers.presentation.durations import format_age


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
            return f"objected on {customer.objected_at:%Y-%m-%d}"
        case Exclusion.PERSON:
            return str(customer.failure_error)  # which says who it was
        case Exclusion.MODEL:
            return f"set aside: {customer.failure_error}"
    if customer.failure_error is None:
        return "being rescored"
    return f"tried again at {customer.failure_retry_at:%H:%M:%S} UTC: {customer.failure_error}"


def describe_score_state(customer: Any) -> str:
    """In as few words as fit into a row: current, stale and for how long, objected, set aside, not scored."""
    if is_current(customer):
        return "current"
    if customer.objected_at is not None or customer.failure_error is not None:
        return why_not_current(customer)
    if customer.churn_risk_score is None:
        return "not scored"
    if customer.stale_since is None:
        return "stale: of a former model"
    return f"stale {format_age(customer.stale_since, timezone.now(), 'whole')}"
