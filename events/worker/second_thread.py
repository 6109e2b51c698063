"""A second thread for a drain with much to do: the model works on one batch while PostgreSQL writes the other."""

import logging
import os
from collections.abc import Callable
from threading import Thread

from django.conf import settings
from django.db import DatabaseError, connection

from customers.ml_service import ModelError

log = logging.getLogger("vigilpay.events")

# More threads than cores only get into each other's way.
A_CORE_IS_LEFT = (os.cpu_count() or 1) >= 2 * settings.WORKERS


class SecondThread:
    """Runs the same work in a thread of its own, with a database connection of its own, as long as it is worth while.

    The work returns whether there is more of it. Whatever fails here fails in the drain itself, too, or is found by
    the next poll: the thread only ends.
    """

    def __init__(self, work: Callable[[], bool]) -> None:
        self._work = work
        self._thread: Thread | None = None

    def start(self) -> None:
        """Unless it is at work already, or every core of this host has its worker."""
        if A_CORE_IS_LEFT and (self._thread is None or not self._thread.is_alive()):
            self._thread = Thread(target=self._run, name="second thread", daemon=True)
            self._thread.start()

    def join(self) -> None:
        """Wait until its last batch is stored."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while self._work():
                pass
        except ModelError:
            pass  # the drain itself meets it, and reports it
        except DatabaseError as error:
            log.warning("The second thread of a drain ends: %s", error)
        finally:
            connection.close()
