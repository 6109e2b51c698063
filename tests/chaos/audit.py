"""The auditor of a storm."""

from contextlib import suppress
from threading import Event, Thread

import psycopg

from tests.chaos import checks
from tests.chaos.forests import Forests
from tests.chaos.server import StormServer

AUDIT_PAUSE_SECONDS = 0.5


class Audit:
    """Looks at all customers again and again while the storm lasts: what says it is current has to be right."""

    def __init__(self, server: StormServer, forests: Forests) -> None:
        self._server, self._forests = server, forests
        self._stop = Event()
        self._found: dict[str, None] = {}
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(AUDIT_PAUSE_SECONDS):
            with suppress(psycopg.OperationalError), self._server.connect() as connection:
                self._found.update(dict.fromkeys(checks.false_claims(connection, self._forests)))

    def finish(self) -> list[str]:
        self._stop.set()
        self._thread.join()
        return list(self._found)
