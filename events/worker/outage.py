"""One line when PostgreSQL is lost, one when it is back, however often it is tried in between."""

import logging

from customers.conditions import Condition

log = logging.getLogger("vigilpay.events")


class Outage:
    """Of one part of the worker. Processes forked from the one that made it have it in common."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._condition = Condition(log)

    @property
    def is_on(self) -> bool:
        return self._condition.is_on

    def lost(self, error: Exception) -> None:
        """An attempt failed."""
        words = str(error).strip()
        self._condition.begin("%s lost PostgreSQL and tries until it is back: %s", self._who, words, state="lost")

    def over(self) -> None:
        """An attempt succeeded."""
        if self.is_on:
            self._condition.end("%s has PostgreSQL again, after %.1f s.", self._who, self._condition.seconds)
