"""What a column may be called: the one table for an import, a training file and the columns of a model."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from .schema import BANK_SPELLING, LABEL

BANKS_NAMES: Mapping[str, str] = MappingProxyType(
    {"customer_id": "CustomerId", "surname": "Surname", LABEL: "Exited"}
    | {ours: bank for bank, ours in BANK_SPELLING.items()}
)

# Other names seen in the wild; the bank's spelling and ours are recognised anyway. Capitals, spaces and _ don't count.
ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "customer_id": ("customer number", "customer no", "cust id", "client id"),
        "surname": ("last name", "family name"),
        "geography": ("country",),
        "gender": ("sex",),
        "balance": ("account balance",),
        "num_of_products": ("products number", "number of products", "num products", "products"),
        "has_cr_card": ("credit card", "has credit card"),
        "is_active_member": ("active member", "is active", "active"),
        LABEL: (
            "churn", "churned", "is churn", "is churned", "has churned", "customer churn", "customer churned",
            "churn flag", "churn label", "churn value", "is exited", "has exited", "customer exited", "exited flag",
            "attrition", "attrition flag", "attrited", "left", "has left", "customer left",
        ),
    }
)  # fmt: skip


def plain(name: str) -> str:
    """A column name without what people spell differently."""
    return re.sub(r"[\W_]+", "", name).casefold()


def spellings(field: str) -> tuple[str, ...]:
    """How a field of a customer may be called, the bank's name first."""
    return (BANKS_NAMES[field], field, *ALIASES.get(field, ()))


def plain_names(names: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Which field a plain name means, where each field has these names."""
    return {plain(name): field for field, its_names in names.items() for name in its_names}


_FIELD_OF = plain_names({field: spellings(field) for field in BANKS_NAMES})


def field_called(name: str) -> str:
    """The field that a column of this name holds; the name itself when it is none of ours."""
    return _FIELD_OF.get(plain(name), name)
