"""Keeps a cluster alive from outside: whatever happens to it, the whole of it is ended and started anew.

django-q2 replaces processes that die, but not the locks they die with (github.com/django-q2/django-q2, issue 23). So
no process inside is asked: docs/decisions/0009-supervised-worker.md has what was killed, and what came of it.
"""

import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator
from socket import gethostname
from time import monotonic
from typing import Protocol, TypeVar

import psycopg
from django.db import Error

from customers.conditions import Condition
from events.worker.heartbeat import StallDetector, WorkerTable
from events.worker.outage import Outage
from events.worker.pooler import refuse_pooler
from events.worker.service_manager import ALIVE, READY, STOPPING, ServiceManager
from events.worker.stop_signals import StopSignals

log = logging.getLogger("vigilpay.events")

Answer = TypeVar("Answer")

CHECK_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


class Cluster(Protocol):
    """A started cluster, in a process group of its own."""

    def exit_code(self) -> int | None:
        """None while its main process runs."""

    def terminate(self) -> None:
        """Ask the main process alone: django-q2 hangs when all of its processes are asked."""

    def kill(self) -> None:
        """End what is left of the group, at once."""


class Supervisor:
    """Runs one cluster after another until it is asked to stop. ``launch`` starts one under the given name.

    A cluster may go without a heartbeat for ``stall_seconds``, and take ``stop_seconds`` to stop.

    Each turn of its own loops tells the service manager that it is alive, and nothing else does.
    """

    def __init__(
        self,
        launch: Callable[[str], Cluster],
        signals: StopSignals,
        manager: ServiceManager | None = None,
        *,
        stall_seconds: float,
        stop_seconds: float,
    ) -> None:
        self._launch = launch
        self._signals = signals
        self._stall_seconds = stall_seconds
        self._stop_seconds = stop_seconds
        self._manager = manager or ServiceManager()
        self._table = WorkerTable()
        self._outage = Outage("The supervisor")
        self._tables_missing = Condition(log)
        self._failing = Condition(log)

    def run(self) -> None:
        """Returns when it was asked to stop, and nothing of the cluster is left."""
        pauses = growing_pauses()
        self._manager.report_state(READY)
        try:
            while name := self._announce():
                detector = StallDetector(self._stall_seconds, monotonic())
                if not (fault := self._run_one(name, detector)):
                    return
                if detector.is_steady(monotonic()):
                    pauses = growing_pauses()
                self._rest(next(pauses), fault)
        finally:
            self._manager.report_state(STOPPING)
            self._table.close()

    def _announce(self) -> str:
        """Wait for a database with our tables and register the next cluster; its name, or "" when asked to stop.

        Raises ``PoolerError`` where no cluster could work.
        """
        # The token: containers share host names and process numbers.
        name = f"{gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        while not self._signals.asked:
            if self._reach(lambda: self._is_registered(name)):
                return name
            self._wait(CHECK_SECONDS)
        return ""

    def _wait(self, seconds: float) -> int:
        self._manager.report_state(ALIVE)
        return self._signals.wait(seconds)

    def _is_registered(self, name: str) -> bool:
        """Whether the cluster could be registered; False while tables are missing."""
        refuse_pooler()
        if missing := ", ".join(self._table.pending_migrations()):
            self._tables_missing.begin("The worker waits for `manage.py migrate`: %s not up to date.", missing)
            return False
        self._tables_missing.end("The tables are up to date.")
        self._table.register(name)
        return True

    def _run_one(self, name: str, detector: StallDetector) -> str:
        """What was wrong with this cluster, of which nothing is left now; empty when it was stopped on demand."""
        if not self._failing.is_on:
            log.info("Worker %s starts.", name)
        cluster = self._launch(name)
        try:
            if not (fault := self._watch(cluster, name, detector)):
                self._stop(cluster)
        finally:
            cluster.kill()
        self._reach(lambda: self._table.unregister(name))
        return fault

    def _watch(self, cluster: Cluster, name: str, detector: StallDetector) -> str:
        """Until something is wrong, which it returns, or it is asked to stop."""
        while not self._wait(CHECK_SECONDS):
            if (code := cluster.exit_code()) is not None:
                return f"its main process has ended by itself with {code}"
            if fault := self._reach(lambda: detector.check_heartbeats(self._table.heartbeats_of(name), monotonic())):
                return fault
            if self._outage.is_on:
                detector.forgive(monotonic())
            elif detector.is_steady(monotonic()):
                self._failing.end("The worker is at work again.")
        return ""

    def _stop(self, cluster: Cluster) -> None:
        """The polite way, for a limited time, and until it is asked again."""
        cluster.terminate()
        ends = monotonic() + self._stop_seconds
        while cluster.exit_code() is None:
            if monotonic() > ends or self._signals.asked > 1:
                log.warning("The worker is killed before its jobs have ended; others, or the next, do what is left.")
                return
            self._wait(min(CHECK_SECONDS, self._stop_seconds))

    def _rest(self, seconds: float, fault: str) -> None:
        # A fault that stays is logged until the pauses are longest.
        state = f"{seconds:.0f} {re.sub('[0-9]+', '', fault)}"
        self._failing.begin(
            "The worker was ended and is started anew in %.0f s: %s.", seconds, fault, state=state, level=logging.ERROR
        )
        ends = monotonic() + seconds
        while (left := ends - monotonic()) > 0 and not self._signals.asked:
            self._wait(min(CHECK_SECONDS, left))

    def _reach(self, query: Callable[[], Answer]) -> Answer | None:
        """What the database answers; None while PostgreSQL is away, which is no fault of the cluster's."""
        try:
            answer = query()
        except (psycopg.Error, Error) as error:
            self._table.close()
            self._outage.begin_after(error)
            return None
        self._outage.end_if_on()
        return answer


def growing_pauses() -> Iterator[float]:
    """Before the first new start none: mostly it was an accident, and customers wait for scores."""
    pause = 0.0
    while True:
        yield pause
        pause = min(max(1.0, 2 * pause), LONGEST_PAUSE_SECONDS)
