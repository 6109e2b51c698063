"""A real worker as a process of its own: ``manage.py qcluster`` alone, or with its supervisor."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vigilpay.processes.children import Child


@contextmanager
def running_cluster(url: str, log: Path, **environment: str) -> Iterator[Child]:
    """A complete worker on that database for as long as the block lasts; what it says is in the log."""
    with _running("qcluster", url, log, **environment) as it:
        yield it


@contextmanager
def running_worker(url: str, log: Path, **environment: str) -> Iterator[Child]:
    """The same, watched by ``run_worker``."""
    with _running("run_worker", url, log, **environment) as it:
        yield it


@contextmanager
def _running(command: str, url: str, log: Path, **environment: str) -> Iterator[Child]:
    told = {**os.environ, "DATABASE_URL": url, **environment}
    with log.open("wb") as output, Child("worker", command, env=told, stdout=output, stderr=subprocess.STDOUT) as it:
        yield it
