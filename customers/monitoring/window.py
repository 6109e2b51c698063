"""The days of an evaluation, and who left in them."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone

from customers.import_export import outcomes

DAY = timedelta(days=1)

# Of ``customer`` joined with ``OUTCOMES``: whether the customer left in the window (null: unknown).
HAS_LEFT = """CASE
    WHEN outcome.left_on <= %(last_day)s THEN true
    WHEN outcome.left_on > %(last_day)s OR outcome.stayed_until >= %(last_day)s THEN false
    WHEN %(all_leavers_known)s AND present.customer_id IS NOT NULL THEN false
END"""
OUTCOMES = """LEFT JOIN customers_outcome AS outcome USING (customer_id)
LEFT JOIN customers_customer AS present USING (customer_id)"""


@dataclass(frozen=True)
class Window:
    """The days in which it counts whether a customer left, both included. Scores are those stored before the first."""

    first_day: date
    last_day: date

    @property
    def begins(self) -> datetime:
        return timezone.make_aware(datetime.combine(self.first_day, time.min))

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return timezone.make_aware(datetime.combine(self.last_day + DAY, time.min))

    def values(self) -> dict[str, Any]:
        """The parameters of a query with ``HAS_LEFT``."""
        complete_until = outcomes.complete_until()
        return {
            "begins": self.begins,
            "ends": self.ends,
            "first_day": self.first_day,
            "last_day": self.last_day,
            "all_leavers_known": complete_until is not None and complete_until >= self.last_day,
        }
