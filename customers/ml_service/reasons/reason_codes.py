"""The table of reason codes: what may be said of a contribution, and in which words.

A code says which way the feature moves this customer's score, so that nothing can be worded that the model does not
show: a balance is only "too low" where it raises the risk. Numbers are stored with scores: none is ever given to
another code. Words may change.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.messages import FIELD_NAMES

Numbers = NDArray[Any]
Condition = Callable[[Numbers], NDArray[np.bool_]]

RAISES, LOWERS = "raises", "lowers"
OTHER_FACTORS = "other_factors"
MODEL = "model"

LOW_CREDIT_SCORE = 500  # the model knows churn to rise below some 405 only
LOW_BALANCE = 10_000
MANY_PRODUCTS = 3


class ReasonCode(NamedTuple):
    """What can be said of one part of a score. `label` names it, `sentence` says what it does.

    Placeholders: `%(value)s`, the customer's own, and in sentences `%(points)s`, percentage points.
    """

    number: int
    code: str
    part: str
    direction: str
    applies: Condition
    label: str
    sentence: str


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
        "Credit score too low", "A credit score of only %(value)s raises the risk by %(points)s points",
    ),
    ReasonCode(
        2, "CREDIT_SCORE_RAISES", "credit_score", RAISES, always,
        "Credit score %(value)s", "A credit score of %(value)s raises the risk by %(points)s points",
    ),
    ReasonCode(
        3, "CREDIT_SCORE_LOWERS", "credit_score", LOWERS, always,
        "Credit score %(value)s", "A credit score of %(value)s lowers the risk by %(points)s points",
    ),
    ReasonCode(
        4, "AGE_RAISES", "age", RAISES, always,
        "Age %(value)s", "An age of %(value)s raises the risk by %(points)s points",
    ),
    ReasonCode(
        5, "AGE_LOWERS", "age", LOWERS, always,
        "Age %(value)s", "An age of %(value)s lowers the risk by %(points)s points",
    ),
    ReasonCode(
        6, "TENURE_RAISES", "tenure", RAISES, always,
        "Years with the bank: %(value)s",
        "The time with the bank (years: %(value)s) raises the risk by %(points)s points",
    ),
    ReasonCode(
        7, "TENURE_LOWERS", "tenure", LOWERS, always,
        "Years with the bank: %(value)s",
        "The time with the bank (years: %(value)s) lowers the risk by %(points)s points",
    ),
    ReasonCode(
        8, "LOW_BALANCE", "balance", RAISES, below(LOW_BALANCE),
        "Balance too low", "A balance of only %(value)s raises the risk by %(points)s points",
    ),
    ReasonCode(
        9, "LOW_BALANCE_LOWERS", "balance", LOWERS, below(LOW_BALANCE),
        "Low balance", "A balance of only %(value)s lowers the risk by %(points)s points",
    ),
    ReasonCode(
        10, "HIGH_BALANCE", "balance", RAISES, always,
        "High balance to lose", "A balance of %(value)s raises the risk by %(points)s points",
    ),
    ReasonCode(
        11, "HIGH_BALANCE_LOWERS", "balance", LOWERS, always,
        "High balance", "A balance of %(value)s lowers the risk by %(points)s points",
    ),
    ReasonCode(
        12, "SINGLE_PRODUCT", "num_of_products", RAISES, equal(1),
        "Only one product", "Having only one product raises the risk by %(points)s points",
    ),
    ReasonCode(
        13, "MANY_PRODUCTS", "num_of_products", RAISES, at_least(MANY_PRODUCTS),
        "Too many products (%(value)s)",
        "Having as many as %(value)s products raises the risk by %(points)s points",
    ),
    ReasonCode(
        14, "PRODUCTS_RAISE", "num_of_products", RAISES, always,
        "Products: %(value)s", "The number of products (%(value)s) raises the risk by %(points)s points",
    ),
    ReasonCode(
        15, "PRODUCTS_LOWER", "num_of_products", LOWERS, always,
        "Products: %(value)s", "The number of products (%(value)s) lowers the risk by %(points)s points",
    ),
    ReasonCode(
        16, "NO_CREDIT_CARD", "has_cr_card", RAISES, equal(0),
        "No credit card", "Having no credit card raises the risk by %(points)s points",
    ),
    ReasonCode(
        17, "NO_CREDIT_CARD_LOWERS", "has_cr_card", LOWERS, equal(0),
        "No credit card", "Having no credit card lowers the risk by %(points)s points",
    ),
    ReasonCode(
        18, "CREDIT_CARD_RAISES", "has_cr_card", RAISES, always,
        "Has a credit card", "Having a credit card raises the risk by %(points)s points",
    ),
    ReasonCode(
        19, "CREDIT_CARD", "has_cr_card", LOWERS, always,
        "Has a credit card", "Having a credit card lowers the risk by %(points)s points",
    ),
    ReasonCode(
        20, "INACTIVE_MEMBER", "is_active_member", RAISES, equal(0),
        "Inactive member", "Not an active member raises the risk by %(points)s points",
    ),
    ReasonCode(
        21, "INACTIVE_MEMBER_LOWERS", "is_active_member", LOWERS, equal(0),
        "Inactive member", "Not an active member lowers the risk by %(points)s points",
    ),
    ReasonCode(
        22, "ACTIVE_MEMBER_RAISES", "is_active_member", RAISES, always,
        "Active member", "Being an active member raises the risk by %(points)s points",
    ),
    ReasonCode(
        23, "ACTIVE_MEMBER", "is_active_member", LOWERS, always,
        "Active member", "Being an active member lowers the risk by %(points)s points",
    ),
    ReasonCode(
        24, "COUNTRY_RAISES", "geography", RAISES, always,
        "Customer in %(value)s", "The country, %(value)s, raises the risk by %(points)s points",
    ),
    ReasonCode(
        25, "COUNTRY_LOWERS", "geography", LOWERS, always,
        "Customer in %(value)s", "The country, %(value)s, lowers the risk by %(points)s points",
    ),
    ReasonCode(
        26, "GENDER_RAISES", "gender", RAISES, always,
        "Gender: %(value)s", "The gender (%(value)s) raises the risk by %(points)s points",
    ),
    ReasonCode(
        27, "GENDER_LOWERS", "gender", LOWERS, always,
        "Gender: %(value)s", "The gender (%(value)s) lowers the risk by %(points)s points",
    ),
    ReasonCode(
        28, "OTHER_FACTORS_RAISE", OTHER_FACTORS, RAISES, always,
        "Other factors", "Other factors raise the risk by %(points)s points",
    ),
    ReasonCode(
        29, "OTHER_FACTORS_LOWER", OTHER_FACTORS, LOWERS, always,
        "Other factors", "Other factors lower the risk by %(points)s points",
    ),
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
    {**FIELD_NAMES, OTHER_FACTORS: "other factors", MODEL: "the model itself"}
)
