"""The figures of the overview: the customers by risk and by model, who moved, and how long scores took."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.db.backends.utils import CursorWrapper

from customers.conditions import Condition
from customers.portfolio import distribution, movers
from customers.portfolio.distribution import Distribution
from customers.portfolio.movers import Mover, Movers
from events.freshness import queries
from events.freshness.queries import Coverage, Lag, LagStep, Portfolio

log = logging.getLogger("vigilpay.events")

without_movers = Condition(log)


@dataclass(frozen=True)
class Figures:
    """What takes a pass over all customers, or over all that was scored of late.

    Kept as JSON by ``as_dict``: whoever changes these fields deletes the row of ``Overview`` in a migration.
    """

    release: int | None  # the active one at that moment
    distribution: Distribution
    portfolio: Portfolio
    lag: Lag
    movers: list[Movers]  # none where telling them took too long

    @classmethod
    def counted(cls, cursor: CursorWrapper, at: datetime) -> "Figures":
        """As they are now, which is this moment."""
        active = queries.active_release(cursor)
        return cls(
            release=active.id if active else None,
            distribution=distribution.count_scores(cursor),
            portfolio=queries.portfolio_of(cursor, active),
            lag=queries.lag_of(cursor),
            movers=movers_in_time(cursor, at),
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Figures":
        """What ``as_dict`` has said."""
        return cls(
            release=kept["release"],
            distribution=Distribution(**kept["distribution"]),
            portfolio=_portfolio(kept["portfolio"]),
            lag=_lag(kept["lag"]),
            movers=[_movers(window) for window in kept["movers"]],
        )


def movers_in_time(cursor: CursorWrapper, at: datetime) -> list[Movers]:
    """None where so much was scored of late that the search for them takes too long: all else is told nevertheless."""
    try:
        with transaction.atomic():
            found = movers.movers(cursor, at)
    except OperationalError as error:
        without_movers.begin("The overview goes without movers: %s", error)
        return []
    without_movers.end("The overview has movers again.")
    return found


def _portfolio(kept: Mapping[str, Any]) -> Portfolio:
    return Portfolio(**{**kept, "coverage": [Coverage(**group) for group in kept["coverage"]]})


def _lag(kept: Mapping[str, Any]) -> Lag:
    return Lag(**{**kept, "histogram": [LagStep(**step) for step in kept["histogram"]]})


def _movers(kept: Mapping[str, Any]) -> Movers:
    moves = {side: [Mover(**one) for one in kept[side]] for side in ("risers", "fallers")}
    return Movers(**{**kept, **moves})
