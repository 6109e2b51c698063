"""Child processes: started apart from our terminal, stopped the way each of them can bear."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any, Self

from vigilpay import env

STOP_SECONDS = 15.0


class Child:
    """A ``manage.py`` command that runs until it is stopped. What it prints to stdout is dropped, unless the further
    arguments, those of ``subprocess.Popen``, direct it elsewhere."""

    def __init__(self, name: str, *command: str, stop_seconds: float = STOP_SECONDS, **popen: Any) -> None:
        self.name = name
        self._stop_seconds = stop_seconds
        # A session of its own: Ctrl-C reaches us alone, and we decide which process is stopped, and in which order.
        self._process = subprocess.Popen(  # noqa: S603  our own commands, no shell
            [sys.executable, "manage.py", *command],
            cwd=env.ROOT,
            start_new_session=True,
            **{"stdout": subprocess.DEVNULL, **popen},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """Of the main process; None while it runs."""
        return self._process.poll()

    def has_ended(self) -> bool:
        return self.exit_code() is not None

    def stop(self) -> None:
        """SIGTERM to the main process alone, for django-q2 hangs when its whole group gets one; then the group's end.

        What is killed loses nothing: a worker's claims are row locks, free at once. A Ctrl-C meanwhile waits no longer.
        """
        self.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=self._stop_seconds)
        finally:
            self.kill()

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL to the whole group, or what is left of it."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Cluster(Child):
    """A ``qcluster`` with a name for its heartbeat, which ends with this process, however that ends."""

    def __init__(self, name: str) -> None:
        # Nothing is ever written to this pipe: the cluster ends when our end of it, which only we hold, is closed.
        theirs, self._ours = os.pipe()
        environment = env.child_environment(VIGILPAY_WORKER_NAME=name, VIGILPAY_LIFELINE_FD=str(theirs))
        super().__init__("cluster", "qcluster", env=environment, pass_fds=[theirs], stdout=None)
        os.close(theirs)

    def kill(self) -> None:
        super().kill()
        with suppress(OSError):
            os.close(self._ours)
