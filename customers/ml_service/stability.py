"""The population stability index (PSI): how far the shares of a population have moved from those of a reference.

The index and its rules of thumb, 0.1 and 0.25: Siddiqi, Credit Risk Scorecards (2006). What it comes to by chance:
Yurdakul, Statistical Properties of Population Stability Index (2018).
"""

from collections.abc import Sequence
from math import inf, log, sqrt

# A smaller share counts as this one: the index of an empty bin would be infinite.
FLOOR = 0.0001
_NORMAL_95_PERCENT = 1.6449


def stability_index(reference: Sequence[float], present: Sequence[float]) -> float:
    """Return the sum over all bins of (present - reference) * ln(present / reference), of shares from FLOOR to 1."""
    floored = [(max(was, FLOOR), max(now, FLOOR)) for was, now in zip(reference, present, strict=True)]
    return sum((now - was) * log(now / was) for was, now in floored)


def index_by_chance(bins: int, reference_rows: int, rows: int) -> float:
    """Return what the index of customers drawn from the very reference population stays below 19 times out of 20.

    It is distributed as chi-squared with bins - 1 degrees of freedom, times 1 / reference_rows + 1 / rows (Yurdakul).
    The quantile is Wilson and Hilferty's (1931), which is 2.5 % too low for two bins and better for more.
    """
    if bins < 2:
        return 0.0
    if not rows:
        return inf
    spread = 2 / (9 * (bins - 1))
    chi_squared = (bins - 1) * (1 - spread + _NORMAL_95_PERCENT * sqrt(spread)) ** 3
    return float(chi_squared * (1 / reference_rows + 1 / rows))
