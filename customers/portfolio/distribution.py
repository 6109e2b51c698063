"""How the customers' scores are spread, by step of risk and by band, and what the bank would expect to lose in each."""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from customers.presentation.bands import BANDS

# Steps of five percentage points; a score on an edge is in the step above it, as with bands.
STEPS = 20
EDGES = [step / STEPS for step in range(1, STEPS)]

# One pass over the index by value at risk, which has the score as well: all groupings at once, so that they add up to
# the same customers. Those who have objected have no score, and are taken off.
COUNT = """
SELECT width_bucket(churn_risk_score, %(edges)s::float8[]), width_bucket(churn_risk_score, %(thresholds)s::float8[]),
    count(*), COALESCE(sum(value_at_risk), 0)
FROM customers_customer GROUP BY 1, 2
"""

# By an index that has these customers alone.
COUNT_OBJECTED = "SELECT count(*) FROM customers_customer WHERE objected_at IS NOT NULL"


@dataclass(frozen=True)
class Distribution:
    """How many customers there are in each step and in each band, lowest first, and how many have no score yet.

    Those who have objected to being scored are left out.
    """

    steps: list[int]
    bands: list[int]
    values_at_risk: list[str]  # the sum in each band: decimals to the cent, as JSON has none
    thresholds: list[float]  # the bands' own, when they were counted
    unscored: int

    @property
    def scored(self) -> int:
        return sum(self.bands)

    @property
    def customers(self) -> int:
        return self.scored + self.unscored

    @property
    def values(self) -> list[Decimal]:
        """The value at risk of each band, lowest first."""
        return [Decimal(value) for value in self.values_at_risk]


def count_scores(cursor: CursorWrapper) -> Distribution:
    """Count all customers as they are at this moment."""
    thresholds = list(settings.RISK_BANDS)
    cursor.execute(COUNT, {"edges": EDGES, "thresholds": thresholds})
    steps, bands, unscored = [0] * STEPS, [0] * len(BANDS), 0
    values = [Decimal("0.00")] * len(BANDS)
    for step, band, customers, value in cursor.fetchall():
        if step is None:  # and no band: no score
            unscored += customers
        else:
            steps[step] += customers
            bands[band] += customers
            values[band] += value
    return Distribution(steps, bands, list(map(str, values)), thresholds, unscored - count_objected(cursor))


def count_objected(cursor: CursorWrapper) -> int:
    """How many customers have objected to being scored."""
    cursor.execute(COUNT_OBJECTED)
    return int(cursor.fetchone()[0])
