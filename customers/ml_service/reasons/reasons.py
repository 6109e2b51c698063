"""From exact contributions to reasons: which parts of a score are worth naming, by which code, in which words.

Gender and country move the score, but a bank must not say (or act on) "because this is a woman": protected fields, by
default these two, are summed as "Other factors".
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.messages import FormatMoney, format_plain_amount, format_points
from customers.ml_service.schema import FEATURES, Explanation

from .reason_codes import BY_NUMBER, CODES, LOWERS, OTHER_FACTORS, RAISES, ReasonCode, format_label

PROTECTED = ("geography", "gender")
TOP = 3  # as many reasons as people read, and as are stored
NOTABLE = 0.005  # half a percentage point
NONE = 0  # where there are fewer reasons than places


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for a score. `code` is stable. `label` (``4 products``) and `text` (``4 products: +42 points``) are
    words, which may change; `points` are signed percentage points.
    """

    code: str
    label: str
    text: str
    points: float
    direction: str


class ScoreParts(NamedTuple):
    """The parts of scores that reasons are about: `names` of p parts, and their (n, p) `contributions`."""

    names: tuple[str, ...]
    contributions: NDArray[np.float64]


def reasons_for(
    explanation: Explanation,
    *,
    limit: int = TOP,
    protected: Collection[str] = PROTECTED,
    format_money: FormatMoney = format_plain_amount,
) -> tuple[Reason, ...]:
    """Return at most `limit` reasons: those that raise the risk first, the weightiest first in each direction.

    Contributions under half a percentage point are left out. No reason names a `protected` field: these are summed.
    `format_money` writes balances.
    """
    values: Mapping[str, Any] = explanation.inputs
    # The words of country and gender, whose codes have no conditions, may be any number.
    matrix = np.array([[0.0 if isinstance(values[field], str) else float(values[field]) for field in FEATURES]])
    contributions = np.array([[explanation.contributions[field] for field in FEATURES]])
    [numbers] = top_codes(matrix, contributions, limit=limit, protected=protected).tolist()
    return numbered_reasons(numbers, contributions[0].tolist(), values, protected=protected, format_money=format_money)


def top_codes(
    matrix: NDArray[Any],
    contributions: NDArray[np.float64],
    *,
    limit: int = TOP,
    protected: Collection[str] = PROTECTED,
) -> NDArray[np.int16]:
    """Return the (n, limit) code numbers of the top reasons of n customers, in order, and 0 where there are no more.

    `matrix` holds the nine features of each as numbers, (n, 9) in FEATURES order; the words among them are not looked
    at. `contributions` are (n, 9) Shapley values.
    """
    parts = _parts(contributions, protected)
    columns = zip(parts.names, parts.contributions.T, strict=True)
    codes = np.stack([_codes_of(part, matrix, column) for part, column in columns], axis=1)
    weights = np.where(np.abs(parts.contributions) >= NOTABLE, parts.contributions, 0.0)
    rank = np.select([weights > 0, weights < 0], [0, 1], 2)
    order = np.lexsort((-np.abs(weights), rank))[:, :limit]
    found = np.zeros((len(codes), limit), dtype=np.int16)  # where most fields are protected there are fewer parts
    found[:, : order.shape[1]] = np.take_along_axis(np.where(weights == 0, NONE, codes), order, axis=1)
    return found


def numbered_reasons(
    numbers: Sequence[int],
    contributions: Sequence[float],
    values: Mapping[str, Any],
    *,
    protected: Collection[str] = PROTECTED,
    format_money: FormatMoney = format_plain_amount,
) -> tuple[Reason, ...]:
    """Return the reasons of one customer by the code numbers, the nine contributions and the nine values stored.

    Codes from when other fields were protected count only as far as they are still so: none names a field that is
    protected now, and the sum of the others is that of the fields that are.
    """
    parts = by_part(contributions, protected=protected)
    codes = (BY_NUMBER[number] for number in numbers if number in BY_NUMBER)
    return tuple(
        _reason(code, format_label(code, values.get(code.part), format_money), 100 * parts[code.part])
        for code in codes
        if _is_so(code, parts)
    )


def _is_so(code: ReasonCode, parts: Mapping[str, float]) -> bool:
    """Whether a field may be named; whether the sum, maybe of other fields than before, still has that direction."""
    if code.part != OTHER_FACTORS:
        return code.part in parts
    total = parts.get(OTHER_FACTORS, 0.0)
    return total > 0 if code.direction == RAISES else total < 0


def by_part(contributions: Sequence[float], *, protected: Collection[str]) -> dict[str, float]:
    """Return the contribution of each part that reasons are about; `contributions` are nine, in FEATURES order."""
    names, sums = _parts(np.array([contributions]), protected)
    return dict(zip(names, sums[0].tolist(), strict=True))


def _reason(code: ReasonCode, label: str, points: float) -> Reason:
    text = f"{label}: {format_points(points, 0 if abs(points) >= 10 else 1)}"
    return Reason(code.code, label, text, points, code.direction)


def _parts(contributions: NDArray[np.float64], protected: Collection[str]) -> ScoreParts:
    named = [field for field in FEATURES if field not in protected]
    if len(named) == len(FEATURES):
        return ScoreParts(FEATURES, contributions)
    others = contributions[:, [FEATURES.index(field) for field in FEATURES if field in protected]].sum(axis=1)
    kept = contributions[:, [FEATURES.index(field) for field in named]]
    return ScoreParts((*named, OTHER_FACTORS), np.column_stack([kept, others]))


def _codes_of(part: str, matrix: NDArray[Any], contributions: NDArray[np.float64]) -> NDArray[np.int_]:
    """The (n,) code numbers of one part: the first of the table whose direction and condition fit."""
    values = matrix[:, FEATURES.index(part)] if part in FEATURES else contributions
    raising, lowering = (_first_that_applies(CODES[part, direction], values) for direction in (RAISES, LOWERS))
    return np.where(contributions > 0, raising, lowering)


def _first_that_applies(codes: Sequence[ReasonCode], values: NDArray[Any]) -> NDArray[np.int_] | int:
    """The last applies to whatever the others leave. Every score runs this: of a single code no condition is asked."""
    *special, last = codes
    numbers: NDArray[np.int_] | int = last.number
    for code in reversed(special):
        numbers = np.where(code.applies(values), code.number, numbers)
    return numbers
