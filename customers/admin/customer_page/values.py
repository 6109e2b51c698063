"""A customer's values as people write them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from customers.ml_service.reasons.reason_codes import PART_NAMES
from customers.presentation.numbers import format_money


def format_value(field: str, value: Any) -> str:
    """``EUR 182,160``, ``yes``; empty for what is no value of one field, as that of factors that are shown as a sum."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return format_money(value, cents=Decimal(value) % 1 != 0) if field == "balance" else str(value)


def part_name(field: str) -> str:
    return capfirst(PART_NAMES[field])


def format_changes(changes: Iterable[tuple[str, Any, Any]]) -> SafeString:
    """Of fields, from one value to another: ``Age 40 → 41; Credit card no → yes``."""
    words = ((part_name(field), format_value(field, old), format_value(field, new)) for field, old, new in changes)
    return format_html_join("; ", "{} {} → <strong>{}</strong>", words)
