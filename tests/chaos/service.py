"""The worker under attack, kept up as a service manager keeps a service up: started again whenever it ends."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import psutil

from vigilpay.env import ROOT

MARK = "VIGILPAY_CHAOS"  # in the environment of every process of a service, orphans included
RESTART_SECONDS = 0.5
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05
SAMPLE_SECONDS = 0.5


class NothingToKillError(Exception):
    """The cluster never came into the state that a fault needs."""


class Service:
    """One supervised worker with all its processes, by their roles in django-q2."""

    def __init__(self, command: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self._command = [sys.executable, *command]
        self._log = log
        self._token = secrets.token_hex(8)
        self._environment = {**os.environ, **environment, MARK: self._token}
        self._workers = int(self._environment["VIGILPAY_WORKERS"])
        self._role_of: dict[tuple[float, int], str] = {}
        self._stopping = Event()
        self._manager = Thread(target=self._keep_up, daemon=True)
        self.starts = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        self._manager.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._manager.join()
            self.kill_all()

    def _keep_up(self) -> None:
        while not self._stopping.is_set():
            self._start()
            while self._main.poll() is None and not self._stopping.wait(POLL_SECONDS):
                pass
            self._stopping.wait(RESTART_SECONDS)

    def _start(self) -> None:
        with self._log.open("ab") as output:
            self._main = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                start_new_session=True,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.starts += 1

    # --- who is who ---------------------------------------------------------------------------------------------------

    def processes(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if is_marked(process, self._token)]

    def roles(self) -> dict[str, list[psutil.Process]]:
        """The processes of the complete cluster by role; nothing while it is not complete."""
        alive = {process.pid: process for process in self.processes()}
        families: dict[int, list[psutil.Process]] = {}
        for process in alive.values():
            families.setdefault(parent_of(process), []).append(process)
        sentinels = [
            alive[pid] for pid, family in families.items() if pid in alive and len(family) >= self._workers + 2
        ]
        sentinels = [sentinel for sentinel in sentinels if parent_of(sentinel) in alive]
        if not sentinels:
            return {}
        sentinel = max(sentinels, key=lambda process: process.create_time())
        main = alive[parent_of(sentinel)]
        return {
            "supervisor": [alive[parent_of(main)]] if parent_of(main) in alive else [main],
            "main": [main],
            "sentinel": [sentinel],
            **self._named(families[sentinel.pid]),
        }

    def _named(self, children: list[psutil.Process]) -> dict[str, list[psutil.Process]]:
        """django-q2 starts its workers first, then the monitor, then the pusher; a successor gets the missing role."""
        vacant = ["worker"] * self._workers + ["monitor", "pusher"]
        in_order = sorted(children, key=key_of)
        known = [child for child in in_order if key_of(child) in self._role_of]
        for child in known:
            with suppress(ValueError):
                vacant.remove(self._role_of[key_of(child)])
        for child, role in zip([child for child in in_order if child not in known], vacant, strict=False):
            self._role_of[key_of(child)] = role
        named: dict[str, list[psutil.Process]] = {"worker": [], "monitor": [], "pusher": []}
        for child in in_order:
            named[self._role_of.get(key_of(child), "worker")].append(child)
        return named

    def complete(self) -> dict[str, list[psutil.Process]]:
        """The roles, as soon as there is a process for each of them."""
        ends = monotonic() + PATIENCE_SECONDS
        while monotonic() < ends:
            with suppress(psutil.Error):
                if roles := self.roles():
                    return roles
            sleep(POLL_SECONDS)
        raise NothingToKillError(f"the cluster was not complete within {PATIENCE_SECONDS:.0f} s")

    def an_idle_worker(self) -> psutil.Process:
        """The worker that waits for a task at this moment: it holds the lock of django-q2's queue."""
        ends = monotonic() + PATIENCE_SECONDS
        while monotonic() < ends:
            with suppress(psutil.Error):
                for worker in self.complete()["worker"]:
                    if waits_for_a_pipe(worker):
                        return worker
            sleep(POLL_SECONDS)
        raise NothingToKillError(f"no worker was idle within {PATIENCE_SECONDS:.0f} s")

    def await_sleep(self) -> None:
        """Until no worker does anything: the drain at work has ended."""
        ends = monotonic() + PATIENCE_SECONDS
        while monotonic() < ends:
            if not any(self._work().values()):
                return
        raise NothingToKillError(f"the workers did not go to sleep within {PATIENCE_SECONDS:.0f} s")

    def a_busy_worker(self) -> psutil.Process:
        """The worker that uses the processor most."""
        work = self._work()
        return max(work, key=lambda worker: work[worker])

    def _work(self) -> dict[psutil.Process, float]:
        """Processor time of each worker, in seconds, in the moments after this call."""
        before = {worker: processor_seconds(worker) for worker in self.complete()["worker"]}
        sleep(SAMPLE_SECONDS)
        return {worker: processor_seconds(worker) - former for worker, former in before.items()}

    def kill_all(self) -> None:
        """kill -9 of every process, stopped ones and orphans included."""
        for _ in range(3):  # one may have forked while the others were killed
            for process in self.processes():
                with suppress(psutil.Error):
                    process.kill()
        with suppress(AttributeError, subprocess.TimeoutExpired):
            self._main.wait(timeout=5)


def is_marked(process: psutil.Process, token: str) -> bool:
    try:
        return process.environ().get(MARK) == token and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def parent_of(process: psutil.Process) -> int:
    try:
        return int(process.ppid())
    except psutil.Error:
        return 0


def key_of(process: psutil.Process) -> tuple[float, int]:
    """Sorts in the order of birth, and is not taken over by a later process of the same number."""
    return process.create_time(), process.pid


def processor_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def waits_for_a_pipe(process: psutil.Process) -> bool:
    """Whether it reads from a pipe, as far as this system tells; one of two waiting workers does, the other waits."""
    try:
        place = Path(f"/proc/{process.pid}/wchan").read_text()
    except OSError:
        return processor_seconds(process) > 0  # another system: any that is alive
    return "pipe_read" in place


def send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.Error, ProcessLookupError):
        process.send_signal(number)
