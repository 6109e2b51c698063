"""What a customer looks like to the model: names, words, bounds, and the shapes of the answers."""

import re
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

# The fields that hold a word of the bank's own. Which words a score exists for is a fact of a model: its `Encodings`.
WORD_FIELDS: tuple[str, ...] = ("geography", "gender")
LONGEST_WORD = 60

# The words of a model that comes without metadata, and of generated customers; no rule for what a customer may have.
GEOGRAPHIES: tuple[str, ...] = ("France", "Germany", "Spain")
GENDERS: tuple[str, ...] = ("Female", "Male")
CATEGORIES: Mapping[str, tuple[str, ...]] = MappingProxyType({"geography": GEOGRAPHIES, "gender": GENDERS})

# How to fit a forest, where a message says that one was fitted on something else.
NINE_COLUMNS = (
    "the nine raw columns `credit_score`, `geography` (France 0, Germany 1, Spain 2), `gender` (Female 0, Male 1), "
    "`age`, `tenure`, `balance`, `num_of_products`, `has_cr_card`, `is_active_member`, by these names or in this order"
)

# Control characters, and halves of characters that no text can hold.
_NOT_IN_WORDS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def is_word(value: object) -> bool:
    """Whether this can be a country or a gender: 1 to 60 characters, no blank at either end, no control character."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_WORD:
        return False
    return value == value.strip() and not _NOT_IN_WORDS.search(value)


class Bounds(NamedTuple):
    """Lowest and highest value that can be true of a customer, both included."""

    low: int | Decimal
    high: int | Decimal
    integral: bool = True


# The bounds that come with the code. The settings may change them, but for the two flags.
DEFAULT_BOUNDS: Mapping[str, Bounds] = MappingProxyType(
    {
        "credit_score": Bounds(0, 1000),
        "age": Bounds(18, 110),
        "tenure": Bounds(0, 80),
        "balance": Bounds(Decimal("-9999999999999.99"), Decimal("9999999999999.99"), integral=False),
        "num_of_products": Bounds(1, 10),
        "has_cr_card": Bounds(0, 1),
        "is_active_member": Bounds(0, 1),
    }
)
# What the columns of the database can hold, and what every model is verified with, in generated customers.
HELD: Mapping[str, Bounds] = MappingProxyType(
    {
        **dict.fromkeys(("credit_score", "age", "tenure", "num_of_products"), Bounds(-32768, 32767)),
        "balance": DEFAULT_BOUNDS["balance"],
    }
)
VERIFIED_WITH: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "credit_score": (350, 850),
        "age": (18, 80),
        "tenure": (0, 10),
        "balance": (0, 200_000),
        "num_of_products": (1, 4),
    }
)

Ends = tuple[Decimal, Decimal]
Limits = tuple[float, float, bool]

_bounds: dict[str, Bounds] = {}
_limits: dict[str, Limits] = {}
# The one table of what can't be: the service refuses it, and the database's CHECK constraints are made from it.
BOUNDS: Mapping[str, Bounds] = MappingProxyType(_bounds)
LIMITS: Mapping[str, Limits] = MappingProxyType(_limits)  # the same for arithmetic


def set_bounds(changes: Mapping[str, Ends]) -> None:
    """Have these bounds hold, and for all other fields those that come with the code.

    To be called as a process starts, before what is made from BOUNDS. ValueError says which bounds cannot be.
    """
    changed = {name: _checked_bounds(name, *ends) for name, ends in changes.items()}
    _bounds.update({**DEFAULT_BOUNDS, **changed})
    _limits.update({name: (float(low), float(high), integral) for name, (low, high, integral) in _bounds.items()})


def _checked_bounds(name: str, low: Decimal, high: Decimal) -> Bounds:
    if name not in HELD:
        raise ValueError(f"{name} has no bounds that can be set; expected one of {', '.join(HELD)}")
    least, most, integral = HELD[name]
    if not least <= low <= high <= most or any(end != round(end, 0 if integral else 2) for end in (low, high)):
        numbers = "whole numbers" if integral else "numbers of at most two decimals"
        raise ValueError(f"{name}={low}-{high}: expected {numbers} from {least} to {most}, the lower one first")
    first, last = VERIFIED_WITH[name]
    if low > first or high < last:
        raise ValueError(
            f"{name}={low}-{high}: no model could be verified with these bounds, because generated customers have "
            f"values from {first} to {last}; include these"
        )
    return Bounds(int(low), int(high)) if integral else Bounds(low, high, integral=False)


set_bounds({})


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
