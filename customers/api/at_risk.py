"""The customers by risk, highest first, page by page: each page begins behind the last customer of the one before."""

import re
from collections.abc import Mapping
from typing import Any

from django.db.models import F, FloatField, Func, Q, QuerySet, Value
from django.db.models.lookups import LessThan

from customers.api.parameters import Parameter, one_of, parse_query, whole_number
from customers.api.scores import Json, score_entry
from customers.ml_service.reasons.reason_codes import BY_NUMBER
from customers.ml_service.schema import BOUNDS, GEOGRAPHIES
from customers.models import Customer, ModelRelease, is_current_by
from customers.presentation.bands import BANDS, is_in_band
from customers.presentation.reasons import MAIN_NUMBERS, has_main_reason
from customers.scoring.marks import is_stale_by_marks

DEFAULT_LIMIT, MOST = 100, 500

# The score as Python writes it, which is read back without loss, and the id.
POSITION = r"([01]|[01]\.[0-9]{1,30}|[1-9](?:\.[0-9]{1,30})?e-[0-9]{1,3})_([1-9][0-9]{0,18})"

MAIN_REASONS = {BY_NUMBER[number].code: number for number in MAIN_NUMBERS}

PARAMETERS: Mapping[str, Parameter] = {
    "limit": whole_number(f"How many customers; {DEFAULT_LIMIT} without it.", MOST, default=DEFAULT_LIMIT),
    "after": Parameter(
        {"type": "string", "pattern": f"^{POSITION}$"}, "The next of the page before; without it the first page."
    ),
    "band": one_of(BANDS, "How high the risk is."),
    "geography": one_of(GEOGRAPHIES, "Country."),
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
    found = list(customers_by_risk(asked)[: limit + 1])
    shown = found[:limit]
    return {
        "customers": [score_entry(customer) for customer in shown],
        "next": position_of(shown[-1]) if len(found) > limit else None,
    }


def customers_by_risk(asked: Mapping[str, Any]) -> QuerySet[Customer]:
    """Those with a score whom all of this applies to, in the order of the index that the scorer keeps."""
    conditions = [condition(name, value) for name, value in asked.items()]
    scored = Customer.objects.filter(*conditions, churn_risk_score__isnull=False)
    return scored.with_active_release().riskiest_first()


def condition(name: str, value: Any) -> Any:
    """What a parameter's value asks of a customer."""
    match name:
        case "after":
            return is_behind(value)
        case "band":
            return is_in_band(value)
        case "main_reason":
            return has_main_reason(MAIN_REASONS[value])
        case "freshness":
            release = ModelRelease.objects.active_id()
            return is_current_by(release) if value == "current" else is_stale_by_marks(release)
        case _:
            return Q(**{name: value})


def is_behind(position: str) -> LessThan:
    """In the order of risk, by one comparison of two columns: an index walks to the place, however many are alike."""
    score, customer_id = re.fullmatch(POSITION, position).groups()  # type: ignore[union-attr]  # it was read so
    return LessThan(row(F("churn_risk_score"), F("customer_id")), row(Value(float(score)), Value(int(customer_id))))


def row(*values: Any) -> Func:
    return Func(*values, function="ROW", output_field=FloatField())


def position_of(customer: Customer) -> str:
    return f"{customer.churn_risk_score!r}_{customer.pk}"
