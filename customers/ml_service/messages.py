"""Words for people."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType

NO_BREAK = "\N{NO-BREAK SPACE}"


def format_percent(share: float, decimals: int = 1) -> str:
    """``97.6 %`` of a share or probability of 0.976."""
    return f"{100 * share:.{decimals}f}{NO_BREAK}%"


def format_points(points: float, decimals: int = 1) -> str:
    """``+42.3 points``: percentage points, with their sign."""
    return f"{format_signed(points, decimals)}{NO_BREAK}points"


def format_signed(number: Decimal | float, decimals: int = 0) -> str:
    """``+42``, ``-1,234.5``; ``0``, without a sign, of what is rounded to nothing."""
    text = f"{number:+,.{decimals}f}"
    return text if text.strip("+-0.") else text[1:]


MOST_LISTED = 12


def format_words(words: Iterable[str]) -> str:
    """``France, Germany, Spain``; of many the first by the alphabet, and how many more there are."""
    found = sorted(words)
    more = len(found) - MOST_LISTED
    return ", ".join(found if more <= 0 else [*found[:MOST_LISTED], f"and {more:,} more"])


# How amounts are written is the caller's: the currency is a setting, and these rooms have none.
FormatMoney = Callable[[float], str]


def format_plain_amount(amount: float) -> str:
    """``182,160``: without a currency, where the caller names none."""
    return f"{amount:,.0f}"


# What people call the nine fields.
FIELD_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "credit_score": "credit score",
        "geography": "country",
        "gender": "gender",
        "age": "age",
        "tenure": "years with the bank",
        "balance": "balance",
        "num_of_products": "products",
        "has_cr_card": "credit card",
        "is_active_member": "active member",
    }
)
