"""The figures of the overview: customers and value at risk by band, customers by model, and the largest changes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.db.backends.utils import CursorWrapper

from customers.conditions import Condition
from customers.portfolio import distribution, movers, moves
from customers.portfolio.distribution import Distribution
from customers.portfolio.movers import Mover, Movers
from events.freshness import queries
from events.freshness.answer import Coverage, Lag, LagStep, Portfolio

log = logging.getLogger("vigilpay.events")

without_movers = Condition(log)


@dataclass(frozen=True)
class Figures:
    """What takes a pass over all customers, or over all that was scored in the last days.

    Stored as JSON: a change of these fields needs a migration that deletes the row of ``Overview``.
    """

    release: int | None  # the active one at that moment
    distribution: Distribution
    newly_critical: int | None  # not known before the first search
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
            newly_critical=stored["newly_critical"],
            portfolio=Portfolio(**{**portfolio, "coverage": [Coverage(**group) for group in portfolio["coverage"]]}),
            lag=Lag(**{**lag, "histogram": [LagStep(**step) for step in lag["histogram"]]}),
            movers=[
                Movers(**{**window, **{side: [Mover(**one) for one in window[side]] for side in ("risers", "fallers")}})
                for window in stored["movers"]
            ],
        )


def newly_critical(cursor: CursorWrapper) -> int | None:
    """As many as the filter of the list finds; None before a worker has searched for them."""
    return None if moves.searched_at() is None else moves.newly_critical(cursor)


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
