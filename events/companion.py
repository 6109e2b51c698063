"""A second lane for a drain with much to do: the model works on one batch while PostgreSQL writes the other."""

import logging
from collections.abc import Callable
from threading import Thread

from django.db import DatabaseError, connection

from customers.ml_service import ModelError

log = logging.getLogger("vigilpay.events")


class Companion:
    """Runs the same work in a thread of its own, with a database connection of its own, as long as it is worth while.

    The work returns whether there is more of it. Whatever fails here fails in the drain itself, too, or is found by
    the next look: the thread only ends.
    """

    def __init__(self, work: Callable[[], bool]) -> None:
        self._work = work
        self._thread: Thread | None = None

    def join_in(self) -> None:
        """Start, unless it is at work already."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._run, name="second lane", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Until its last batch is stored."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while self._work():
                pass
        except (DatabaseError, ModelError) as error:
            log.warning("The second lane of a drain ends: %s", error)
        finally:
            connection.close()
