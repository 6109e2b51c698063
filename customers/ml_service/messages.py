"""Words for people. This room knows no Django: messages are marked here and translated where they are shown."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

Translate = Callable[[str], str]


def gettext_noop(message: str) -> str:
    """Mark a message for Django's makemessages."""
    return message


# What people call the nine fields.
FIELD_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "credit_score": gettext_noop("credit score"),
        "geography": gettext_noop("country"),
        "gender": gettext_noop("gender"),
        "age": gettext_noop("age"),
        "tenure": gettext_noop("years with the bank"),
        "balance": gettext_noop("balance"),
        "num_of_products": gettext_noop("number of products"),
        "has_cr_card": gettext_noop("credit card"),
        "is_active_member": gettext_noop("active membership"),
    }
)
