"""The watcher, or the server that it asks, stands still: nothing ends, nothing fails, nothing answers."""

import random
import signal
from contextlib import suppress
from os import kill
from time import sleep
from typing import TYPE_CHECKING

from tests.chaos.faults.registry import End, fault
from tests.chaos.service import send

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

STILL_SECONDS = 5.0
# The question that the supervisor alone asks.
SUPERVISORS = "SELECT looked_at, guarded_at, %"


@fault("freeze the supervisor, kill -9 an idle worker", quiet=True, short=False)
def freeze_the_supervisor(storm: "Storm", pick: random.Random) -> End:
    """For good: only the service manager's watchdog can help, where the unit file asks for one."""
    send(storm.service.complete()["supervisor"][0], signal.SIGSTOP)
    send(storm.service.an_idle_worker(), signal.SIGKILL)


@fault("freeze the supervisor's session, kill -9 an idle worker", quiet=True, short=False)
def freeze_the_supervisors_session(storm: "Storm", pick: random.Random) -> End:
    """The server's kernel goes on acknowledging, so that only the reader itself can tell that it waits in vain."""
    freeze(storm, storm.server.sessions_of_the_worker(SUPERVISORS))
    send(storm.service.an_idle_worker(), signal.SIGKILL)


@fault("freeze every session of the worker", quiet=True, short=False)
def freeze_the_workers_sessions(storm: "Storm", pick: random.Random) -> End:
    """As a firewall does that has forgotten its connections: new ones work. None of these holds a row."""
    freeze(storm, storm.server.sessions_of_the_worker())


@fault("freeze PostgreSQL for 5 s", short=False)
def freeze_postgresql(storm: "Storm", pick: random.Random) -> End:
    """The whole machine of the database: no client loses a connection."""
    processes = storm.server.processes()
    for process in processes:
        stop(process)
    sleep(STILL_SECONDS)
    for process in processes:
        go_on(process)


def freeze(storm: "Storm", backends: list[int]) -> None:
    """Until the round has been examined: then their clients are gone, or get an answer after all."""
    if not backends:
        raise RuntimeError("no such session")
    for backend in backends:
        stop(backend)
        storm.later.callback(go_on, backend)


def stop(process: int) -> None:
    with suppress(ProcessLookupError):
        kill(process, signal.SIGSTOP)


def go_on(process: int) -> None:
    with suppress(ProcessLookupError):
        kill(process, signal.SIGCONT)
