"""Whether contacts keep customers: those of the control group against all others, as they were assigned.

Whom staff really contacted does not decide who is compared: staff choose, and may choose those who stay anyway. Only
the control group was drawn by lot (customers/outreach/control.py).
"""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.intervals import rate_of

Flags = NDArray[np.bool_]
Verdict = Literal["too few", "may be chance", "fewer left", "more left"]

# With fewer customers in one of the groups, or fewer in both together who left, an interval would say little.
FEWEST_IN_GROUP = 50
FEWEST_LEFT = 10


@dataclass(frozen=True)
class Group:
    customers: int
    left: int
    share_left: float | None  # None: no customers


@dataclass(frozen=True)
class Comparison:
    """Of customers whose score was ``least_score`` or more when they were assigned (``assignment.py``).

    ``difference`` is the share that left of the control group less that of the others, with the bounds of its 95 %
    interval; above 0, fewer left of those whom staff could contact. All three are None where there are too few.
    ``contacted`` and ``not_contacted`` divide the others, and describe only: they were not drawn by lot.
    """

    least_score: float
    control: Group
    others: Group
    difference: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    contacted: Group
    not_contacted: Group


def compare(
    scores: NDArray[np.float64], left: Flags, control: Flags, contacted: Flags, *, least_score: float
) -> Comparison:
    """Compare n customers by their scores, whether they left, are of the control group, and were contacted."""
    is_compared = scores >= least_score
    others = is_compared & ~control
    of_control, of_others = group_of(left[is_compared & control]), group_of(left[others])
    difference, low, high = difference_of(of_control, of_others)
    return Comparison(
        least_score,
        of_control,
        of_others,
        difference,
        low,
        high,
        verdict(low, high),
        group_of(left[others & contacted]),
        group_of(left[others & ~contacted]),
    )


def group_of(left: Flags) -> Group:
    number, gone = len(left), int(left.sum())
    return Group(number, gone, gone / number if number else None)


def difference_of(one: Group, other: Group) -> tuple[float, float, float] | tuple[None, None, None]:
    """How much larger the share of the one is, and the bounds of the 95 % interval of that.

    The hybrid score interval: Newcombe, "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17 (1998), 873-890, method 10.
    """
    if min(one.customers, other.customers) < FEWEST_IN_GROUP or one.left + other.left < FEWEST_LEFT:
        return None, None, None
    share, low, high = rate_of(one.left, one.customers)
    share_of_other, low_of_other, high_of_other = rate_of(other.left, other.customers)
    difference = share - share_of_other
    return (
        difference,
        difference - sqrt((share - low) ** 2 + (high_of_other - share_of_other) ** 2),
        difference + sqrt((high - share) ** 2 + (share_of_other - low_of_other) ** 2),
    )


def verdict(low: float | None, high: float | None) -> Verdict:
    if low is None or high is None:
        return "too few"
    if low > 0:
        return "fewer left"
    return "more left" if high < 0 else "may be chance"
