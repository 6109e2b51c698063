"""How a card names fields and groups, and how it writes figures; what is no figure is not known."""

from collections.abc import Iterator, Mapping
from typing import Any

from customers.ml_service.messages import FIELD_NAMES
from customers.ml_service.schema import FEATURES, WORD_FIELDS

from .told import mapping, number, text

UNKNOWN = "not known"

FLAGS = ("has_cr_card", "is_active_member")
_YES_NO: Mapping[str, str] = {"0": "no", "1": "yes"}


COUNT, DECIMAL, PERCENT, WHOLE_PERCENT = ",.0f", "z.3f", ".1%", ".0%"


def format_figure(figure: object, form: str = COUNT) -> str:
    """A number in one of the forms above, with a space before the sign of percent; UNKNOWN when it is no number."""
    known = number(figure)
    return UNKNOWN if known is None else format(known, form).replace("%", " %")


def spaced(name: str) -> str:
    """The key of a figure as words."""
    return text(name).replace("_", " ")


def value_of(name: str, value: str) -> str:
    """A value in words: "yes" for the 1 of a flag."""
    return _YES_NO.get(value, value) if name in FLAGS else value


def by_group(stored: object) -> Iterator[tuple[str, Any]]:
    """Groups of customers with what is stored about each: "Spain", "age 18-29", "credit card no".

    In the card's own order of fields and groups: the database keeps none in its JSON.
    """
    for name in FEATURES:
        groups = mapping(mapping(stored).get(name))
        for value in sorted(groups):
            yield value if name in WORD_FIELDS else f"{FIELD_NAMES[name]} {value_of(name, value)}", groups[value]
