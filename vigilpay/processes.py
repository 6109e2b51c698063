"""Child processes: started apart from our terminal, stopped the way each of them can bear."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 15


class Child:
    """A ``manage.py`` command that runs until it is stopped. What it prints to stdout is dropped, unless said otherwise
    by further arguments, which are those of ``subprocess.Popen``."""

    def __init__(self, name: str, *command: str, **popen: Any) -> None:
        self.name = name
        # A session of its own: Ctrl-C reaches us alone, and we decide who is told, and in which order.
        self._process = subprocess.Popen(  # noqa: S603  our own commands, no shell
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            start_new_session=True,
            **{"stdout": subprocess.DEVNULL, **popen},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self) -> None:
        """SIGTERM to the main process alone, for django-q2 hangs when its whole group gets one; then the group's end.

        What is killed loses nothing: a worker's claims are row locks, free at once.
        """
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
