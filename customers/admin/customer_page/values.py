"""A customer's values as people write them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext

from customers.ml_service.reasons.reason_codes import PART_NAMES


def value_in_words(field: str, value: Any) -> str:
    """Empty for what is no value of one field, as that of the parts that are told as a sum."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if field == "balance":
        return f"{Decimal(value):,.2f}"
    return str(value)


def name_of(field: str) -> str:
    return capfirst(gettext(PART_NAMES[field]))


def changes_in_words(changes: Iterable[tuple[str, Any, Any]]) -> SafeString:
    """Of fields, from one value to another: ``Age 40 → 41; Credit card no → yes``."""
    words = ((name_of(field), value_in_words(field, old), value_in_words(field, new)) for field, old, new in changes)
    return format_html_join("; ", "{} {} → <strong>{}</strong>", words)
