"""The customers by risk, or by value at risk, highest first, page by page: each page begins behind the last customer of
the one before.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import F, FloatField, Func, Q, QuerySet, Value
from django.db.models.lookups import LessThan

from customers.api.parameters import Parameter, WrongFieldsError, one_of, parse_query, whole_number
from customers.api.schemas import word_schema
from customers.api.scores import Json, score_entry
from customers.ml_service.reasons.reason_codes import BY_NUMBER
from customers.ml_service.schema import BOUNDS
from customers.models import Customer, ModelRelease, is_current_by
from customers.models.customer import BY_RISK, BY_VALUE
from customers.presentation.bands import BANDS, is_in_band
from customers.presentation.reasons import has_main_reason, main_numbers
from customers.scoring.marks import is_stale_by_marks

DEFAULT_LIMIT, MOST = 100, 500

ID = "[1-9][0-9]{0,18}"


@dataclass(frozen=True)
class Order:
    """What the customers are in the order of, and how a position in it is written: what the field holds, and the id."""

    field: str
    ordering: tuple[Any, ...]
    number: str  # the pattern of what ``write`` makes of the field, and ``read`` reads back without loss
    read: Callable[[str], Any]
    write: Callable[[Any], str]
    prefix: str = ""

    @property
    def position(self) -> str:
        """The pattern of a position."""
        return f"{self.prefix}(?:{self.number})_{ID}"

    def position_of(self, customer: Customer) -> str:
        return f"{self.prefix}{self.write(getattr(customer, self.field))}_{customer.pk}"


RISK, VALUE = "risk", "value"
ORDERS: Mapping[str, Order] = {
    RISK: Order(
        "churn_risk_score", BY_RISK, r"[01]|[01]\.[0-9]{1,30}|[1-9](?:\.[0-9]{1,30})?e-[0-9]{1,3}", float, repr
    ),
    VALUE: Order("value_at_risk", BY_VALUE, r"[0-9]{1,13}\.[0-9]{2}", Decimal, str, prefix="value_"),
}
POSITION = "|".join(order.position for order in ORDERS.values())

MAIN_REASONS = {BY_NUMBER[number].code: number for number in main_numbers()}

PARAMETERS: Mapping[str, Parameter] = {
    "order": one_of(ORDERS, f"By churn risk, or by value at risk; by {RISK} without it."),
    "limit": whole_number(f"How many customers; {DEFAULT_LIMIT} without it.", MOST, default=DEFAULT_LIMIT),
    "after": Parameter(
        {"type": "string", "pattern": f"^(?:{POSITION})$"}, "The next of the page before; without it the first page."
    ),
    "band": one_of(BANDS, "How high the risk is."),
    "geography": Parameter(word_schema("geography"), "Country."),
    "num_of_products": whole_number("Number of products.", int(BOUNDS["num_of_products"].high)),
    "is_active_member": Parameter({"type": "boolean"}, "Whether active members, or the others."),
    "has_cr_card": Parameter({"type": "boolean"}, "Whether those with a credit card, or the others."),
    "main_reason": one_of(MAIN_REASONS, "What raises the risk most: the code of the first reason."),
    "freshness": one_of(("current", "stale"), "Whether the score is the active model's for the present fields."),
}


def page(query: Mapping[str, str]) -> Json:
    """The page that the address asks for. Raises ``WrongFieldsError``."""
    asked = parse_query(query, PARAMETERS)
    limit = asked.pop("limit", DEFAULT_LIMIT)
    order = ORDERS[asked.pop("order", RISK)]
    found = list(customers_in_order(asked, order)[: limit + 1])
    shown = found[:limit]
    return {
        "customers": [score_entry(customer) for customer in shown],
        "next": order.position_of(shown[-1]) if len(found) > limit else None,
    }


def customers_in_order(asked: Mapping[str, Any], order: Order = ORDERS[RISK]) -> QuerySet[Customer]:
    """Those with a score whom all of this applies to, in the order of an index that the scorer keeps.

    Raises ``WrongFieldsError`` for a position in another order.
    """
    conditions = [
        is_behind(value, order) if name == "after" else condition(name, value) for name, value in asked.items()
    ]
    scored = Customer.objects.filter(*conditions, **{f"{order.field}__isnull": False})
    return scored.with_active_release().order_by(*order.ordering)


def condition(name: str, value: Any) -> Any:
    """What a parameter's value asks of a customer."""
    match name:
        case "band":
            return is_in_band(value)
        case "main_reason":
            return has_main_reason(MAIN_REASONS[value])
        case "freshness":
            release = ModelRelease.objects.active_id()
            return is_current_by(release) if value == "current" else is_stale_by_marks(release)
        case _:
            return Q(**{name: value})


def is_behind(position: str, order: Order) -> LessThan:
    """In this order, by one comparison of two columns: an index walks to the place, however many are alike."""
    if not re.fullmatch(order.position, position):
        raise WrongFieldsError({"after": "expected the next of an answer in the same order"})
    value, _, customer_id = position.removeprefix(order.prefix).rpartition("_")
    return LessThan(row(F(order.field), F("customer_id")), row(Value(order.read(value)), Value(int(customer_id))))


def row(*values: Any) -> Func:
    return Func(*values, function="ROW", output_field=FloatField())
