"""Whether a customer's score is current, and why not, in words."""

from typing import Any

from django.utils import timezone

from customers.presentation.durations import format_age


def is_current(customer: Any) -> bool:
    """As ``Customer.is_current``, for rows that brought the active release with them."""
    return customer.stale_since is None and customer.scored_by_id == customer.active_release


def why_not_current(customer: Any) -> str:
    """For rows that brought their failure with them, if there is one."""
    if customer.failure_error is None:
        return "being rescored"
    if customer.failure_retry_at is None:
        return f"set aside: {customer.failure_error}"
    return f"tried again at {customer.failure_retry_at:%H:%M:%S} UTC: {customer.failure_error}"


def describe_score_state(customer: Any) -> str:
    """In as few words as fit into a row: current, stale and for how long, set aside, not scored."""
    if is_current(customer):
        return "current"
    if customer.failure_error is not None:
        return why_not_current(customer)
    if customer.churn_risk_score is None:
        return "not scored"
    if customer.stale_since is None:
        return "stale: of a former model"
    return f"stale {format_age(customer.stale_since, timezone.now(), 'whole')}"
