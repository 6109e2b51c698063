"""How fresh a customer's score is, in words."""

from typing import Any


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
