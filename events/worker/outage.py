"""One line when PostgreSQL is lost, one when it is back, however often it is tried in between."""

import logging

from customers.conditions import Condition

log = logging.getLogger("vigilpay.events")


class Outage(Condition):
    """Of one part of the worker. Processes forked from the one that made it have it in common."""

    def __init__(self, part: str) -> None:
        super().__init__(log)
        self._part = part

    def begin_after(self, error: Exception) -> None:
        """An attempt failed."""
        self.begin("%s lost PostgreSQL and tries until it is back: %s", self._part, str(error).strip(), state="lost")

    def end_if_on(self) -> None:
        """An attempt succeeded."""
        if self.is_on:
            self.end("%s has PostgreSQL again, after %.1f s.", self._part, self.seconds)
