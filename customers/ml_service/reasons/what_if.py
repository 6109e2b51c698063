"""What the score would be if some of a customer's values were others. Nothing is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from customers.ml_service.errors import InputError
from customers.ml_service.forest import engine
from customers.ml_service.forest.encoding import encode_row, expected_of, pick
from customers.ml_service.forest.forest import Forest
from customers.ml_service.schema import FEATURES

# The model shows what goes together with leaving, not what causes it.
NOTE = "Estimate from past customers; not a guaranteed effect."


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One customer's score as given, and with `changes` applied: both probabilities in [0, 1].

    `caveat` says what the difference does not mean; show it beside the scores.
    """

    score_before: float
    score_after: float
    changes: Mapping[str, Any]
    caveat: str

    @property
    def delta(self) -> float:
        """The score after less the score before: negative when the changes lower the risk."""
        return self.score_after - self.score_before


def compare(forest: Forest, customer_data: Mapping[str, Any], changes: Mapping[str, Any]) -> WhatIf:
    """Return the scores of a customer as given and with these changes, a mapping of some of the nine fields to values.

    Raises InputError naming a field that cannot be scored, or a change of something that is none of the nine.
    """
    if not isinstance(changes, Mapping):
        raise InputError(f"changes must be a mapping of fields to values, not {type(changes).__name__}")
    for name in changes:
        if name not in FEATURES:
            raise InputError(f"{name}: {expected_of(name)}", field=name)
    now_and_then = pick(customer_data), pick({**customer_data, **changes})
    matrix = forest.encodings.in_float32([encode_row(row, forest.encodings) for row in now_and_then])
    before, after = engine.score_rows(forest.flat, matrix).tolist()
    return WhatIf(before, after, dict(changes), NOTE)
