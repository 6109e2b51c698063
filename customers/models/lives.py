"""Which lives of customers have ended, and since when that is known: docs/decisions/0051-the-list-as-it-was.md."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex, GistIndex
from django.db import models
from django.db.models import Func, Q

from customers.fields import RANGE_OF_IDS


class Departure(models.Model):
    """Customers who left the table, or whose id was changed. Written by triggers alone, as an array or some.

    ``customer_ids`` are in order, and ``arrived_ats`` name the life of each: a customer may come back and leave again.
    """

    left_at = models.DateTimeField()
    customer_ids = ArrayField(models.BigIntegerField())
    arrived_ats = ArrayField(models.DateTimeField())

    class Meta:
        default_permissions = ()
        indexes = [
            GistIndex(
                Func("customer_ids", template=RANGE_OF_IDS.format("%(expressions)s")), name="departure_customers"
            ),
            BrinIndex(fields=["left_at"], name="departure_time", pages_per_range=32),
        ]

    def __str__(self) -> str:
        return f"departure of {len(self.customer_ids)} customers"


class HistoryExtent(models.Model):
    """Since when it is known how all customers stood at any moment. One row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    complete_since = models.DateTimeField(
        help_text="When departures were first recorded, or up to when history was deleted since."
    )

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="history_extent_has_one_row")]

    def __str__(self) -> str:
        return f"history since {self.complete_since:%Y-%m-%d %H:%M:%S}"
