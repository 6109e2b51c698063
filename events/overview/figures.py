"""The figures of the overview: customers and value at risk by band, customers by model, and the largest changes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.backends.utils import CursorWrapper

from customers.conditions import Condition
from customers.portfolio import distribution, movers
from customers.portfolio.distribution import Distribution
from customers.portfolio.movers import Mover, Movers
from customers.presentation.bands import BANDS
from events.freshness import queries
from events.freshness.answer import Coverage, Lag, LagStep, Portfolio

log = logging.getLogger("vigilpay.events")

without_movers = Condition(log)

NEWLY_DAYS = 7

# By band: a score on a threshold is in the band above it, as in distribution.py.
VALUES_AT_RISK = """
SELECT width_bucket(churn_risk_score, %(thresholds)s::float8[]) AS band, sum(value_at_risk)
FROM customers_customer WHERE churn_risk_score IS NOT NULL GROUP BY 1
"""

# Critical now, and not with the score that the days began with, which the oldest record of these days knows. Customers
# whose first score was critical did not become so. Looked up for each critical customer by the index of the history.
NEWLY_CRITICAL = """
SELECT count(*) FROM customers_customer AS customer CROSS JOIN LATERAL (
    SELECT COALESCE(previous_score, score) AS score FROM customers_scorerecord AS record
    WHERE record.customer_id = customer.customer_id
      AND scored_at > statement_timestamp() - make_interval(days => %(days)s)
    ORDER BY record.id LIMIT 1
) AS began
WHERE customer.churn_risk_score >= %(critical)s AND began.score < %(critical)s
"""


@dataclass(frozen=True)
class Figures:
    """What takes a pass over all customers, or over all that was scored in the last days.

    Stored as JSON: a change of these fields needs a migration that deletes the row of ``Overview``.
    """

    release: int | None  # the active one at that moment
    distribution: Distribution
    values_at_risk: list[str]  # of each band, lowest first: decimals to the cent
    newly_critical: int
    portfolio: Portfolio
    lag: Lag
    movers: list[Movers]  # none where the search for them took too long

    @classmethod
    def counted(cls, cursor: CursorWrapper, at: datetime) -> "Figures":
        """As they are now, which is this moment."""
        active = queries.active_release(cursor)
        return cls(
            release=active.id if active else None,
            distribution=distribution.count_scores(cursor),
            values_at_risk=[str(value) for value in sum_value_at_risk(cursor)],
            newly_critical=newly_critical(cursor),
            portfolio=queries.portfolio_of(cursor, active),
            lag=queries.lag_of(cursor),
            movers=movers_in_time(cursor, at),
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Figures":
        """What ``dataclasses.asdict`` has made of the figures."""
        portfolio, lag = stored["portfolio"], stored["lag"]
        return cls(
            release=stored["release"],
            distribution=Distribution(**stored["distribution"]),
            values_at_risk=stored["values_at_risk"],
            newly_critical=stored["newly_critical"],
            portfolio=Portfolio(**{**portfolio, "coverage": [Coverage(**group) for group in portfolio["coverage"]]}),
            lag=Lag(**{**lag, "histogram": [LagStep(**step) for step in lag["histogram"]]}),
            movers=[
                Movers(**{**window, **{side: [Mover(**one) for one in window[side]] for side in ("risers", "fallers")}})
                for window in stored["movers"]
            ],
        )

    @property
    def values(self) -> list[Decimal]:
        """The value at risk of each band, lowest first."""
        return [Decimal(value) for value in self.values_at_risk]


def sum_value_at_risk(cursor: CursorWrapper) -> list[Decimal]:
    """The value at risk of each band, lowest first; exact, for each customer's is rounded once, when it is stored."""
    cursor.execute(VALUES_AT_RISK, {"thresholds": list(settings.RISK_BANDS)})
    found = dict(cursor.fetchall())
    return [found.get(band) or Decimal("0.00") for band in range(len(BANDS))]


def newly_critical(cursor: CursorWrapper) -> int:
    """How many customers are critical now and were not when the last seven days began."""
    cursor.execute(NEWLY_CRITICAL, {"critical": settings.RISK_BANDS[-1], "days": newly_days()})
    return int(cursor.fetchone()[0])


def newly_days() -> int:
    """Of a week that is pruned after three days, the three count."""
    return min(NEWLY_DAYS, settings.HISTORY_DAYS)


def movers_in_time(cursor: CursorWrapper, at: datetime) -> list[Movers]:
    """None where so much was scored in the last days that the search takes too long: all else is shown nevertheless."""
    try:
        with transaction.atomic():
            found = movers.movers(cursor, at)
    except OperationalError as error:
        without_movers.begin("The overview goes without movers: %s", error)
        return []
    without_movers.end("The overview has movers again.")
    return found
