"""Kernels compiled before a worker starts: a compilation under load must not look like a worker that stands still."""

import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from time import monotonic

from events.worker.stop_signals import StopSignals
from vigilpay.env import ROOT

log = logging.getLogger("vigilpay.events")

# Of its own: this process has no use for numba.
COMMAND = [sys.executable, "-m", "customers.ml_service.warm"]

# A cache that is there is loaded in half a second.
QUICK_SECONDS = 3.0
LOOK_SECONDS = 1.0


def warm(signals: StopSignals) -> None:
    """Have a process of its own compile the model's kernels into numba's cache, unless they are there.

    Returns when it has ended, however it has, or when this process is asked to stop: without kernels numpy scores.
    """
    # In a session of its own: Ctrl-C reaches us alone.
    compiler = subprocess.Popen(COMMAND, cwd=ROOT, start_new_session=True)  # noqa: S603  our own module, no shell
    began, is_reported = monotonic(), False
    try:
        while compiler.poll() is None and not signals.wait(LOOK_SECONDS):
            if not is_reported and monotonic() - began > QUICK_SECONDS:
                is_reported = True
                log.info("The worker compiles the model's kernels before it starts; without load some 20 s, once.")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(compiler.pid, signal.SIGKILL)
        compiler.wait()
