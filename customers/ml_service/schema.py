"""What a customer looks like to the model: names, words, bounds, and the shapes of the answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

FEATURES: tuple[str, ...] = (
    "credit_score",
    "geography",
    "gender",
    "age",
    "tenure",
    "balance",
    "num_of_products",
    "has_cr_card",
    "is_active_member",
)

# What a forest learns: whether the customer left. Known of past customers only, and never a feature.
LABEL = "exited"

# The same columns as the public table and the Data Lead's notebooks spell them.
BANK_SPELLING: Mapping[str, str] = MappingProxyType(
    {
        "CreditScore": "credit_score",
        "Geography": "geography",
        "Gender": "gender",
        "Age": "age",
        "Tenure": "tenure",
        "Balance": "balance",
        "NumOfProducts": "num_of_products",
        "HasCrCard": "has_cr_card",
        "IsActiveMember": "is_active_member",
    }
)

GEOGRAPHIES: tuple[str, ...] = ("France", "Germany", "Spain")
GENDERS: tuple[str, ...] = ("Female", "Male")
CATEGORIES: Mapping[str, tuple[str, ...]] = MappingProxyType({"geography": GEOGRAPHIES, "gender": GENDERS})

# How to fit a forest, where a message says that one was fitted on something else.
NINE_COLUMNS = (
    "the nine raw columns `credit_score`, `geography` (France 0, Germany 1, Spain 2), `gender` (Female 0, Male 1), "
    "`age`, `tenure`, `balance`, `num_of_products`, `has_cr_card`, `is_active_member`, by these names or in this order"
)


class Bounds(NamedTuple):
    """Lowest and highest value that can be true of a customer, both included."""

    low: int
    high: int | Decimal
    integral: bool = True


# The one table of what can't be: the service refuses it, and the database's CHECK constraints are made from it.
BOUNDS: Mapping[str, Bounds] = MappingProxyType(
    {
        "credit_score": Bounds(0, 1000),
        "age": Bounds(18, 110),
        "tenure": Bounds(0, 80),
        "balance": Bounds(0, Decimal("9999999999999.99"), integral=False),
        "num_of_products": Bounds(1, 10),
        "has_cr_card": Bounds(0, 1),
        "is_active_member": Bounds(0, 1),
    }
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a customer has this score.

    `score` and `base_value` are probabilities in [0, 1]; `contributions` holds the exact Shapley value of each of the
    nine fields, in the same unit: `base_value + sum(contributions.values()) == score` (to 1e-7).
    `inputs` are the customer's nine values as they were given.
    """

    score: float
    base_value: float
    contributions: Mapping[str, float]
    inputs: Mapping[str, object]
