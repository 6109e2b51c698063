"""Columns that several tables share, and types that Django has no name for."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class RealField(models.FloatField):  # type: ignore[type-arg]  # generic for the type checker only
    """Single precision: four bytes where seven digits are enough."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "real"


def contributions(**options: Any) -> Any:
    """The nine exact contributions to a score: with the base value they add up to it, within 1e-6."""
    return ArrayField(
        RealField(),
        null=True,
        blank=True,  # a form's check would look at each number of none
        help_text="Of the nine fields in FEATURES order, as probabilities. Empty where none were stored yet.",
        **options,
    )


# Of rows from before arrivals were noted.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def arrived_at() -> Any:
    """Which life of a customer id: a row that leaves the table and comes back begins another, with versions from 1."""
    return models.DateTimeField(
        db_default=LONG_AGO, editable=False, help_text="When the customer came into the table, or came back."
    )


# Of an array of ids in order, from the first to the last: what an index finds it by. Less one each, for a range ends
# with the number behind its last, and behind the largest id there is none.
RANGE_OF_IDS = "int8range({0}[1] - 1, {0}[cardinality({0})])"
