"""How fresh a customer's score is, in words."""

from datetime import datetime
from typing import Any

from django.utils import timezone

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


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


def freshness(customer: Any) -> str:
    """In as few words as fit into a row: current, stale and for how long, set aside, not scored."""
    if is_current(customer):
        return "current"
    if customer.failure_error is not None:
        return why_not_current(customer)
    if customer.churn_risk_score is None:
        return "not scored"
    return f"stale {age(customer.stale_since)}" if customer.stale_since else "stale: of a former model"


def age(since: datetime) -> str:
    """The time since then in its largest whole unit."""
    seconds = max(0, int((timezone.now() - since).total_seconds()))
    size, unit = next((unit for unit in UNITS if seconds >= unit[0]), UNITS[-1])
    return f"{seconds // size} {unit}"
