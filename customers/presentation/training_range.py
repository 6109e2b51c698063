"""Values outside what a model was trained on, in words: its scores of them are not reliable."""

from collections.abc import Mapping
from typing import Any

from customers.ml_service.messages import FIELD_NAMES
from customers.presentation.numbers import format_money


def describe_outside_training(values: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[str]:
    """A sentence for each number of a customer outside the range of the training customers.

    ``metadata`` is a model.json, or what a release keeps of it. Of a model without ranges only an overdraft is named.
    """
    found: Any = metadata
    for key in ("diagnostics", "limits", "ranges"):
        found = found.get(key) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        overdraft = "The balance is negative. It is not known whether the training data included negative balances."
        return [overdraft] if values["balance"] < 0 else []
    sentences = (describe_field(field, values[field], ends) for field, ends in found.items() if field in values)
    return [sentence for sentence in sentences if sentence]


def describe_field(field: str, value: Any, ends: Any) -> str:
    """Empty where the value is inside; and where other tools' metadata says something else than two ends."""
    if not isinstance(ends, list | tuple) or len(ends) != 2 or not all(isinstance(it, int | float) for it in ends):
        return ""
    if ends[0] <= value <= ends[1]:
        return ""
    shown, low, high = (format_value(field, it) for it in (value, *ends))
    name = FIELD_NAMES[field]
    outside = f"{name[0].upper()}{name[1:]}: {shown} is outside the range of the training data ({low} to {high})."
    return f"{outside} The churn risk is less reliable."


def format_value(field: str, value: Any) -> str:
    return format_money(value, cents=value % 1 != 0) if field == "balance" else f"{value:,}"
