"""The table of reason codes: what may be said of a contribution, and in which words.

A code says which way the feature moves this customer's score, so that nothing can be worded that is not so: a balance
is only "too low" where it is low and raises the risk, and none is called high. Numbers are stored with scores: none is
ever given to another code. Words may change.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.messages import FIELD_NAMES, FormatMoney

Numbers = NDArray[Any]
Condition = Callable[[Numbers], NDArray[np.bool_]]

RAISES, LOWERS = "raises", "lowers"
OTHER_FACTORS = "other_factors"
MODEL = "model"

LOW_CREDIT_SCORE = 500  # the model knows churn to rise below some 405 only
LOW_BALANCE = 10_000
MANY_PRODUCTS = 3


class ReasonCode(NamedTuple):
    """What can be said of one part of a score: `label` with the customer's value, `%(value)s`; `topic` without one, for
    filters and lists of many customers, where `%(low_balance)s` is LOW_BALANCE as money.
    """

    number: int
    code: str
    part: str
    direction: str
    applies: Condition
    label: str
    topic: str


def always(values: Numbers) -> NDArray[np.bool_]:
    return np.ones(len(values), dtype=bool)


def below(limit: float) -> Condition:
    return lambda values: values < limit


def at_least(limit: float) -> Condition:
    return lambda values: values >= limit


def equal(number: float) -> Condition:
    return lambda values: values == number


# Of a part and a direction the first code that applies.
TABLE: tuple[ReasonCode, ...] = (
    ReasonCode(
        1, "LOW_CREDIT_SCORE", "credit_score", RAISES, below(LOW_CREDIT_SCORE),
        "Credit score too low (%(value)s)", "Credit score too low (below 500)",
    ),
    ReasonCode(
        2, "CREDIT_SCORE_RAISES", "credit_score", RAISES, always,
        "Credit score %(value)s", "Credit score of 500 or more",
    ),
    ReasonCode(3, "CREDIT_SCORE_LOWERS", "credit_score", LOWERS, always, "Credit score %(value)s", "Credit score"),
    ReasonCode(4, "AGE_RAISES", "age", RAISES, always, "Age %(value)s", "Age"),
    ReasonCode(5, "AGE_LOWERS", "age", LOWERS, always, "Age %(value)s", "Age"),
    ReasonCode(6, "TENURE_RAISES", "tenure", RAISES, always, "%(value)s with the bank", "Years with the bank"),
    ReasonCode(7, "TENURE_LOWERS", "tenure", LOWERS, always, "%(value)s with the bank", "Years with the bank"),
    ReasonCode(
        8, "LOW_BALANCE", "balance", RAISES, below(LOW_BALANCE),
        "Balance too low (%(value)s)", "Balance too low (below %(low_balance)s)",
    ),
    ReasonCode(
        9, "LOW_BALANCE_LOWERS", "balance", LOWERS, below(LOW_BALANCE),
        "Balance %(value)s", "Balance below %(low_balance)s",
    ),
    ReasonCode(
        10, "HIGH_BALANCE", "balance", RAISES, always,
        "Balance %(value)s", "Balance of %(low_balance)s or more",
    ),
    ReasonCode(
        11, "HIGH_BALANCE_LOWERS", "balance", LOWERS, always,
        "Balance %(value)s", "Balance of %(low_balance)s or more",
    ),
    ReasonCode(12, "SINGLE_PRODUCT", "num_of_products", RAISES, equal(1), "%(value)s", "Only one product"),
    ReasonCode(
        13, "MANY_PRODUCTS", "num_of_products", RAISES, at_least(MANY_PRODUCTS),
        "%(value)s", "Three or more products",
    ),
    ReasonCode(14, "PRODUCTS_RAISE", "num_of_products", RAISES, always, "%(value)s", "Two products"),
    ReasonCode(15, "PRODUCTS_LOWER", "num_of_products", LOWERS, always, "%(value)s", "Products"),
    ReasonCode(16, "NO_CREDIT_CARD", "has_cr_card", RAISES, equal(0), "No credit card", "No credit card"),
    ReasonCode(17, "NO_CREDIT_CARD_LOWERS", "has_cr_card", LOWERS, equal(0), "No credit card", "No credit card"),
    ReasonCode(18, "CREDIT_CARD_RAISES", "has_cr_card", RAISES, always, "Credit card", "Credit card"),
    ReasonCode(19, "CREDIT_CARD", "has_cr_card", LOWERS, always, "Credit card", "Credit card"),
    ReasonCode(20, "INACTIVE_MEMBER", "is_active_member", RAISES, equal(0), "Inactive member", "Inactive member"),
    ReasonCode(
        21, "INACTIVE_MEMBER_LOWERS", "is_active_member", LOWERS, equal(0),
        "Inactive member", "Inactive member",
    ),
    ReasonCode(22, "ACTIVE_MEMBER_RAISES", "is_active_member", RAISES, always, "Active member", "Active member"),
    ReasonCode(23, "ACTIVE_MEMBER", "is_active_member", LOWERS, always, "Active member", "Active member"),
    ReasonCode(24, "COUNTRY_RAISES", "geography", RAISES, always, "Country %(value)s", "Country"),
    ReasonCode(25, "COUNTRY_LOWERS", "geography", LOWERS, always, "Country %(value)s", "Country"),
    ReasonCode(26, "GENDER_RAISES", "gender", RAISES, always, "Gender %(value)s", "Gender"),
    ReasonCode(27, "GENDER_LOWERS", "gender", LOWERS, always, "Gender %(value)s", "Gender"),
    ReasonCode(28, "OTHER_FACTORS_RAISE", OTHER_FACTORS, RAISES, always, "Other factors", "Other factors"),
    ReasonCode(29, "OTHER_FACTORS_LOWER", OTHER_FACTORS, LOWERS, always, "Other factors", "Other factors"),
)  # fmt: skip

BY_NUMBER: Mapping[int, ReasonCode] = MappingProxyType({reason.number: reason for reason in TABLE})

# By part and direction, in the order of the table.
CODES: Mapping[tuple[str, str], tuple[ReasonCode, ...]] = MappingProxyType(
    {
        (part, direction): tuple(code for code in TABLE if (code.part, code.direction) == (part, direction))
        for part in {code.part for code in TABLE}
        for direction in (RAISES, LOWERS)
    }
)

# What a person calls a part of the score when no value is at hand, as where two scores are compared.
PART_NAMES: Mapping[str, str] = MappingProxyType(
    {
        **FIELD_NAMES,
        OTHER_FACTORS: "other factors",
        MODEL: "model release",
    }
)


def format_label(code: ReasonCode, value: Any, format_money: FormatMoney) -> str:
    """``4 products``, ``Balance EUR 182,160``: the reason in words, for a customer with this value of its field."""
    return code.label % {"value": _format_value(code.part, value, format_money)}


def format_topic(code: ReasonCode, format_money: FormatMoney) -> str:
    """``Three or more products``: what the customers with this reason have in common."""
    return code.topic % {"low_balance": format_money(LOW_BALANCE)}


def _format_value(part: str, value: Any, format_money: FormatMoney) -> str:
    """Empty where no field has the value."""
    if value is None or isinstance(value, str):
        return value or ""
    number = float(value)
    match part:
        case "balance":
            return format_money(number)
        case "tenure":
            return f"{number:,.0f} {'year' if number == 1 else 'years'}"
        case "num_of_products":
            return f"{number:,.0f} {'product' if number == 1 else 'products'}"
    return f"{number:,.0f}"
