"""What programs ask in bodies, checked: all that is wrong is named at once."""

from dataclasses import dataclass
from typing import Any

from customers.api.parameters import WrongFieldsError, no_such_field
from customers.ml_service.forest.encoding import expected_of, find_faults
from customers.ml_service.schema import FEATURES
from customers.models import LARGEST_CUSTOMER_ID

EXPECTED = {
    "customer": "expected an object of the nine fields; or leave it out and name a stored customer by customer_id",
    "customer_id": f"expected a whole number from 1 to {LARGEST_CUSTOMER_ID}; or leave it out and give customer",
    "changes": "expected an object of some of the nine fields",
}

FLAGS = ("has_cr_card", "is_active_member")

MOST_IDS = 1000
MOST_IDS_BYTES = 65_536  # as many of the longest ids, and blanks
EXPECTED_IDS = f"expected a list of 1 to {MOST_IDS} whole numbers from 1 to {LARGEST_CUSTOMER_ID}"

Values = dict[str, Any]


@dataclass(frozen=True)
class WhatIfQuestion:
    """The id of a stored customer, or else nine values; and which of them are to be others."""

    customer_id: int | None
    customer: Values
    changes: Values

    @classmethod
    def from_json(cls, asked: Values) -> "WhatIfQuestion":
        """Read it from a JSON object. Raises ``WrongFieldsError``, which names all that is wrong at once."""
        unknown = {name: no_such_field(EXPECTED) for name in asked if name not in EXPECTED}
        changes = asked.get("changes", {})  # without any the question is what the score is as things stand
        wrong_changes = faults_in(changes) if isinstance(changes, dict) else {"changes": EXPECTED["changes"]}
        if wrong := {**unknown, **wrong_customer_in(asked), **wrong_changes}:
            raise WrongFieldsError(wrong)
        return cls(asked.get("customer_id"), asked.get("customer", {}), changes)


def wrong_customer_in(asked: Values) -> dict[str, str]:
    """A customer must be named: by an id or by all nine values, and not by both."""
    if ("customer_id" in asked) == ("customer" in asked):
        return {name: EXPECTED[name] for name in ("customer", "customer_id")}
    if "customer_id" in asked:
        number = asked["customer_id"]
        return {} if is_customer_id(number) else {"customer_id": EXPECTED["customer_id"]}
    customer = asked["customer"]
    if not isinstance(customer, dict):
        return {"customer": EXPECTED["customer"]}
    return {name: expected_of(name) for name in FEATURES if name not in customer} | faults_in(customer)


def faults_in(values: Values) -> dict[str, str]:
    """As ``find_faults``; and true is no number of JSON, so that it counts for the two flags only."""
    odd = {name: expected_of(name) for name, it in values.items() if isinstance(it, bool) and name not in FLAGS}
    return odd | find_faults(values)


def read_customer_ids(asked: Values) -> list[int]:
    """The ids of ``analyze`` for many. Raises ``WrongFieldsError``."""
    wrong = {name: no_such_field(("customer_ids",)) for name in asked if name != "customer_ids"}
    ids = asked.get("customer_ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MOST_IDS or not all(map(is_customer_id, ids)):
        wrong["customer_ids"] = EXPECTED_IDS
    if wrong:
        raise WrongFieldsError(wrong)
    return list(ids or ())


def is_customer_id(value: object) -> bool:
    return type(value) is int and 1 <= value <= LARGEST_CUSTOMER_ID


def parse_objection(asked: Values) -> bool:
    """Read ``objected``, true or false, from a JSON object. Raises ``WrongFieldsError``."""
    wrong = {name: no_such_field(["objected"]) for name in asked if name != "objected"}
    if not isinstance(asked.get("objected"), bool):
        wrong["objected"] = "expected true or false"
    if wrong:
        raise WrongFieldsError(wrong)
    return bool(asked["objected"])
