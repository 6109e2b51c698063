"""How sure a share is that was counted: an interval that holds for small numbers, and near 0 and 1, too."""

from math import sqrt
from typing import NamedTuple

# The 0.975 quantile of the normal distribution, for 95 %.
Z = 1.959963984540054


class Rate(NamedTuple):
    """A share with the bounds of its 95 % interval, all in [0, 1]."""

    share: float
    low: float
    high: float


def rate_of(count: int, number: int) -> Rate:
    """Return the share of `count` among `number`, at least one, with its score interval.

    Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American Statistical
    Association 22 (1927), 209-212.
    """
    share = count / number
    middle = share + Z**2 / (2 * number)
    half = Z * sqrt(share * (1 - share) / number + Z**2 / (4 * number**2))
    scale = 1 + Z**2 / number
    return Rate(share, max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale))
