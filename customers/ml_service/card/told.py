"""Reading metadata that others may have written: what is not of the expected kind counts as not there."""

from collections.abc import Mapping, Sequence
from typing import Any

_LARGEST = 1e15  # beyond it no figure of a card has a meaning


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def number(value: object) -> float | None:
    """A number of a plausible size; True and False are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= _LARGEST else None  # NaN is not either


def numbers(values: object) -> list[float]:
    """All of them, or none when one is no number."""
    read = [number(value) for value in sequence(values)]
    known = [value for value in read if value is not None]
    return known if len(known) == len(read) else []


def text(value: object) -> str:
    """Words or a number as one line; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return " ".join(str(value).split())
