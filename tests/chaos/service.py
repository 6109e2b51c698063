"""The worker under attack, kept up as systemd keeps a service up by the unit file: started again whenever it ends, and
aborted when it is silent for too long."""

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

from tests.chaos.watchdog import Watchdog, unit_of_the_worker
from tests.cluster_processes import cluster_of, is_complete, roles
from vigilpay.env import ROOT

MARK = "VIGILPAY_CHAOS"  # in the environment of every process of a service, orphans included
RESTART_SECONDS = 0.5
ABORT_SECONDS = 2.0
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05
SAMPLE_SECONDS = 0.5


class NothingToKillError(Exception):
    """The cluster never came into the state that a fault needs."""


class Service:
    """One supervised worker with all its processes, by their roles in django-q2."""

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        self._log = log
        self._token = secrets.token_hex(8)
        self._watchdog = Watchdog(log.with_name(f"{self._token}.notify"), unit_of_the_worker())
        self._environment = {**os.environ, **environment, **self._watchdog.environment(), MARK: self._token}
        self._workers = int(self._environment["VIGILPAY_WORKERS"])
        self._main: subprocess.Popen[bytes] | None = None
        self._stopping = Event()
        self._halted = Event()
        self._manager = Thread(target=self._keep_up, daemon=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        self._manager.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._manager.join()
            self.kill_all()
            self._watchdog.close()

    def _keep_up(self) -> None:
        while not self._stopping.is_set():
            if not self._halted.is_set():
                self._run_once()
            self._stopping.wait(RESTART_SECONDS)

    def _run_once(self) -> None:
        main = self._main = self._start()
        self._watchdog.began(main.pid)
        while main.poll() is None and not self._stopping.wait(POLL_SECONDS):
            if self._watchdog.takes_it_for_hung():
                self._abort(main)

    def _abort(self, main: "subprocess.Popen[bytes]") -> None:
        """As systemd does: a signal, which a stopped process gets as well; then, by KillMode=mixed, SIGKILL for all."""
        main.send_signal(self._watchdog.signal)
        main.send_signal(signal.SIGCONT)
        with suppress(subprocess.TimeoutExpired):
            main.wait(timeout=ABORT_SECONDS)
        self.kill_all()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "manage.py", "run_worker"],
                cwd=ROOT,
                env=self._environment,
                start_new_session=True,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    # --- who is who ---------------------------------------------------------------------------------------------------

    def processes(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if is_marked(process, self._token)]

    def roles(self) -> dict[str, list[psutil.Process]]:
        """The processes of the complete cluster by role; nothing while it is not complete."""
        if self._main is None:
            return {}
        found = roles(cluster_of(self._main.pid))
        if not is_complete(found) or len(found["worker"]) < self._workers:
            return {}
        found["supervisor"] = [self._main.pid]
        return {role: [psutil.Process(pid) for pid in pids] for role, pids in found.items()}

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

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Without any process of it while the block lasts."""
        self._halted.set()
        self.kill_all()
        try:
            yield
        finally:
            self._halted.clear()

    def kill_all(self) -> None:
        """kill -9 of every process, stopped ones and orphans included."""
        for _ in range(3):  # one may have forked while the others were killed
            for process in self.processes():
                with suppress(psutil.Error):
                    process.kill()
        if self._main is not None:
            with suppress(subprocess.TimeoutExpired):
                self._main.wait(timeout=5)


def is_marked(process: psutil.Process, token: str) -> bool:
    try:
        return process.environ().get(MARK) == token and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


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
