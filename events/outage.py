"""One line when PostgreSQL is lost, one when it is back, however often somebody tries in between."""

import logging
from time import monotonic

log = logging.getLogger("vigilpay.events")


class Outage:
    def __init__(self, who: str) -> None:
        self._who = who
        self._began: float | None = None

    @property
    def is_on(self) -> bool:
        return self._began is not None

    def lost(self, error: Exception) -> None:
        """An attempt failed."""
        if self._began is None:
            self._began = monotonic()
            log.warning("%s lost PostgreSQL and tries until it is back: %s", self._who, str(error).strip())

    def over(self) -> None:
        """An attempt succeeded."""
        if self._began is not None:
            log.warning("%s has PostgreSQL again, after %.1f s.", self._who, monotonic() - self._began)
            self._began = None
