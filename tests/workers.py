"""A real worker: ``manage.py qcluster`` as a process of its own."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vigilpay.processes import Child


@contextmanager
def running_cluster(url: str, log: Path, **environment: str) -> Iterator[Child]:
    """A complete worker on that database for as long as the block lasts; what it says is in the log."""
    told = {**os.environ, "DATABASE_URL": url, **environment}
    with log.open("wb") as output, Child("worker", "qcluster", env=told, stdout=output, stderr=subprocess.STDOUT) as it:
        yield it
