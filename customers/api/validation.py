"""What programs ask in bodies and addresses, checked: all that is wrong is named at once."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from customers.history.timeline import LARGEST_RECORD, MOST_SCORES
from customers.ml_service.forest.encoding import expected_of, find_faults
from customers.ml_service.schema import FEATURES
from customers.models import LARGEST_CUSTOMER_ID

EXPECTED = {
    "customer": "expected an object of the nine fields; or leave it out and name a stored customer by customer_id",
    "customer_id": f"expected a whole number from 1 to {LARGEST_CUSTOMER_ID}; or leave it out and give customer",
    "changes": "expected an object of some of the nine fields",
}

# The largest number of each; the smallest is 1.
PAGE = {"limit": MOST_SCORES, "before": LARGEST_RECORD}

Values = dict[str, Any]


class WrongFieldsError(ValueError):
    """Fields that are wrong: ``expected`` says of each by its name what it should be."""

    def __init__(self, expected: Mapping[str, str]) -> None:
        super().__init__(", ".join(expected))
        self.expected = expected


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
        wrong_changes = find_faults(changes) if isinstance(changes, dict) else {"changes": EXPECTED["changes"]}
        if wrong := {**unknown, **wrong_customer_in(asked), **wrong_changes}:
            raise WrongFieldsError(wrong)
        return cls(asked.get("customer_id"), asked.get("customer", {}), changes)


def wrong_customer_in(asked: Values) -> dict[str, str]:
    """A customer must be named: by an id or by all nine values, and not by both."""
    if ("customer_id" in asked) == ("customer" in asked):
        return {name: EXPECTED[name] for name in ("customer", "customer_id")}
    if "customer_id" in asked:
        number = asked["customer_id"]
        is_id = type(number) is int and 1 <= number <= LARGEST_CUSTOMER_ID
        return {} if is_id else {"customer_id": EXPECTED["customer_id"]}
    customer = asked["customer"]
    if not isinstance(customer, dict):
        return {"customer": EXPECTED["customer"]}
    return {name: expected_of(name) for name in FEATURES if name not in customer} | find_faults(customer)


def parse_objection(asked: Values) -> bool:
    """Read ``objected``, true or false, from a JSON object. Raises ``WrongFieldsError``."""
    wrong = {name: no_such_field(["objected"]) for name in asked if name != "objected"}
    if not isinstance(asked.get("objected"), bool):
        wrong["objected"] = "expected true or false"
    if wrong:
        raise WrongFieldsError(wrong)
    return bool(asked["objected"])


def parse_page(query: Mapping[str, str]) -> dict[str, int]:
    """Read ``limit`` and ``before`` from an address, as far as they are there. Raises ``WrongFieldsError``."""
    wrong = {}
    for name, text in query.items():
        if name not in PAGE:
            wrong[name] = no_such_field(PAGE)
        # By length first: Python refuses to read thousands of digits.
        elif not re.fullmatch("[0-9]{1,19}", text) or not 1 <= int(text) <= PAGE[name]:
            wrong[name] = f"expected a whole number from 1 to {PAGE[name]}"
    if wrong:
        raise WrongFieldsError(wrong)
    return {name: int(text) for name, text in query.items()}


def no_such_field(fields: Iterable[str]) -> str:
    return f"no such field; expected one of {', '.join(fields)}"
