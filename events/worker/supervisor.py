"""Keeps a cluster alive from outside: whatever happens to it, the whole of it is ended and started anew.

django-q2 replaces processes that die, but not the locks they die with (github.com/django-q2/django-q2, issue 23). So
nobody inside is asked: docs/decisions/0009-supervised-worker.md has what was killed, and what came of it.
"""

import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Protocol, TypeVar

import psycopg
from django.db import Error

from customers.conditions import Condition
from events.worker.heartbeat import Pulse, WorkerFacts, host
from events.worker.outage import Outage
from events.worker.pooler import refuse_pooler
from events.worker.service_manager import ALIVE, READY, STOPPING, ServiceManager
from events.worker.stop_signals import StopSignals

log = logging.getLogger("vigilpay.events")

Answer = TypeVar("Answer")

LOOK_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


class Cluster(Protocol):
    """A started cluster, in a process group of its own."""

    def exit_code(self) -> int | None:
        """None while its main process runs."""

    def terminate(self) -> None:
        """Ask the main process alone: django-q2 hangs when all of its processes are told."""

    def kill(self) -> None:
        """End what is left of the group, at once."""


@dataclass(frozen=True)
class Limits:
    """How long a cluster may give no sign of life, and how long it may take to stop."""

    stall_seconds: float
    stop_seconds: float


class Supervisor:
    """Runs one cluster after another until it is asked to stop. ``launch`` starts one under the given name.

    Each turn of its own loops tells the service manager that it is alive, and nothing else does.
    """

    def __init__(
        self,
        launch: Callable[[str], Cluster],
        signals: StopSignals,
        limits: Limits,
        manager: ServiceManager | None = None,
    ) -> None:
        self._launch = launch
        self._signals = signals
        self._limits = limits
        self._manager = manager or ServiceManager()
        self._facts = WorkerFacts()
        self._outage = Outage("The supervisor")
        self._tables_missing = Condition(log)
        self._failing = Condition(log)

    def run(self) -> None:
        """Returns when somebody has asked to stop, and nothing of the cluster is left."""
        pauses = growing_pauses()
        self._manager.tell(READY)
        try:
            while name := self._announce():
                pulse = Pulse(self._limits.stall_seconds, monotonic())
                if not (fault := self._run_one(name, pulse)):
                    return
                if pulse.is_steady(monotonic()):
                    pauses = growing_pauses()
                self._rest(next(pauses), fault)
        finally:
            self._manager.tell(STOPPING)
            self._facts.close()

    def _announce(self) -> str:
        """Wait for a database with our tables and register the next cluster; its name, or "" when asked to stop.

        Raises ``PoolerError`` where no cluster could work.
        """
        # The token: containers share host names and process numbers.
        name = f"{host()}:{os.getpid()}:{secrets.token_hex(4)}"
        while not self._signals.asked:
            if (
                self._reach(self._is_reached_directly)
                and self._reach(self._tables_are_there)
                and self._reach(lambda: self._facts.register(name, host()))
            ):
                return name
            self._wait(LOOK_SECONDS)
        return ""

    def _wait(self, seconds: float) -> int:
        self._manager.tell(ALIVE)
        return self._signals.wait(seconds)

    @staticmethod
    def _is_reached_directly() -> bool:
        refuse_pooler()
        return True

    def _tables_are_there(self) -> bool:
        missing = self._facts.pending_migrations()
        if missing:
            apps = ", ".join(missing)
            self._tables_missing.begin("The worker waits for `manage.py migrate`: %s not up to date.", apps)
        else:
            self._tables_missing.end("The tables are up to date.")
        return not missing

    def _run_one(self, name: str, pulse: Pulse) -> str:
        """What was wrong with this cluster, of which nothing is left now; empty when it was stopped on demand."""
        if not self._failing.is_on:
            log.info("Worker %s starts.", name)
        cluster = self._launch(name)
        try:
            fault = self._watch(cluster, name, pulse)
            if not fault:
                self._stop(cluster)
        finally:
            cluster.kill()
        self._reach(lambda: self._facts.forget(name))
        return fault

    def _watch(self, cluster: Cluster, name: str, pulse: Pulse) -> str:
        """Until something is wrong, which it returns, or somebody asks to stop."""
        while not self._wait(LOOK_SECONDS):
            if (code := cluster.exit_code()) is not None:
                return f"its main process has ended by itself with {code}"
            if fault := self._reach(lambda: pulse.feel(self._facts.of(name), monotonic())):
                return fault
            if self._outage.is_on:
                pulse.forgive(monotonic())
            elif pulse.is_steady(monotonic()):
                self._failing.end("The worker is at work again.")
        return ""

    def _stop(self, cluster: Cluster) -> None:
        """The polite way, for a limited time, and until somebody asks again."""
        cluster.terminate()
        ends = monotonic() + self._limits.stop_seconds
        while cluster.exit_code() is None:
            if monotonic() > ends or self._signals.asked > 1:
                log.warning("The worker is killed before its jobs have ended; others, or the next, do what is left.")
                return
            self._wait(min(LOOK_SECONDS, self._limits.stop_seconds))

    def _rest(self, seconds: float, fault: str) -> None:
        told = "The worker was ended and is started anew in %.0f s: %s."
        # A fault that stays is told until the pauses are longest.
        state = f"{seconds:.0f} {re.sub('[0-9]+', '', fault)}"
        self._failing.begin(told, seconds, fault, state=state, level=logging.ERROR)
        ends = monotonic() + seconds
        while (left := ends - monotonic()) > 0 and not self._signals.asked:
            self._wait(min(LOOK_SECONDS, left))

    def _reach(self, ask: Callable[[], Answer]) -> Answer | None:
        """What the database answers; None while PostgreSQL is away, which is no fault of the cluster's."""
        try:
            answer = ask()
        except (psycopg.Error, Error) as error:
            self._facts.close()
            self._outage.lost(error)
            return None
        self._outage.over()
        return answer


def growing_pauses() -> Iterator[float]:
    """Before the first new start none: mostly it was an accident, and somebody waits for scores."""
    pause = 0.0
    while True:
        yield pause
        pause = min(max(1.0, 2 * pause), LONGEST_PAUSE_SECONDS)
