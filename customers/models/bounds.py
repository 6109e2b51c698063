"""The bounds of a customer's numbers: the table's constraints follow the settings at every ``migrate``."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, connections, models, transaction

from customers.ml_service.schema import BOUNDS, DEFAULT_BOUNDS, Bounds

BOUNDED = ("credit_score", "age", "tenure", "balance", "num_of_products")
TABLE = "customers_customer"

SINCE = "customer_geography_is_a_word"  # a constraint that is as old as the setting
INSTALLED = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = to_regclass(%s)"
NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
OUTSIDE = "SELECT count(*), min(customer_id) FROM customers_customer WHERE {field} NOT BETWEEN {low} AND {high}"
# For new rows first, which takes a moment; then it is held against the others, while edits go on.
REPLACE = """ALTER TABLE customers_customer DROP CONSTRAINT IF EXISTS {name},
    ADD CONSTRAINT {name} CHECK ({field} BETWEEN {low} AND {high}) NOT VALID"""
VALIDATE = "ALTER TABLE customers_customer VALIDATE CONSTRAINT {name}"
# Editors wait behind a table lock that is waited for; ``migrate`` tries again.
PATIENCE = "SET LOCAL lock_timeout TO '2s'"


def constraint_name(field: str) -> str:
    return f"customer_{field}_is_possible"


class WithinBounds(models.CheckConstraint):
    """Holds a field to BOUNDS as they are set. Migrations know the bounds that come with the code, and no others."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(condition=within(BOUNDS, field), name=constraint_name(field))

    def as_migrated(self) -> models.CheckConstraint:
        return models.CheckConstraint(condition=within(DEFAULT_BOUNDS, self.field), name=self.name)

    def __eq__(self, other: object) -> bool:
        """Django asks whether a migration is missing."""
        return self.as_migrated() == (other.as_migrated() if isinstance(other, WithinBounds) else other)

    def deconstruct(self) -> Any:
        return self.as_migrated().deconstruct()

    def clone(self) -> "WithinBounds":
        return WithinBounds(self.field)


def within(bounds: Mapping[str, Bounds], field: str) -> models.Q:
    return models.Q(**{f"{field}__range": (bounds[field].low, bounds[field].high)})


def installed_bounds(using: str) -> dict[str, tuple[Decimal, ...]]:
    """By field the numbers of its constraint: two, unless it was changed by hand; none without it.

    Nothing where there is no table, or that of a version whose bounds could not be set: ``migrate`` is not so far.
    """
    with connections[using].cursor() as cursor:
        cursor.execute(INSTALLED, [TABLE])
        definitions = dict(cursor.fetchall())
    if SINCE not in definitions:
        return {}
    return {
        field: tuple(map(Decimal, NUMBER.findall(definitions.get(constraint_name(field), "")))) for field in BOUNDED
    }


def differing_bounds(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """The fields whose constraint in the database is not that of the settings."""
    wanted = {field: tuple(map(Decimal, BOUNDS[field][:2])) for field in BOUNDED}
    return [field for field, found in installed_bounds(using).items() if found != wanted[field]]


def follow_settings(using: str = DEFAULT_DB_ALIAS, **kwargs: Any) -> None:
    """Have the constraints say what the settings say. Connected to ``post_migrate``.

    Raises ``CommandError``, with nothing changed of that field, where customers lie outside its bounds.
    """
    for field in differing_bounds(using):
        replace_constraint(using, field)


def replace_constraint(using: str, field: str) -> None:
    low, high, _ = BOUNDS[field]
    words = {"field": field, "name": constraint_name(field), "low": low, "high": high}
    with connections[using].cursor() as cursor:
        cursor.execute(OUTSIDE.format(**words))
        outside, first = cursor.fetchone()
        if outside:
            raise CommandError(
                f"The bounds of {field} were not changed to {low} to {high}: {outside:,} customers lie outside, "
                f"customer {first} among them. Correct them, or set other bounds in VIGILPAY_BOUNDS."
            )
        with transaction.atomic(using):
            cursor.execute(PATIENCE)
            cursor.execute(REPLACE.format(**words))
        cursor.execute(VALIDATE.format(**words))
