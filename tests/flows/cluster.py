"""A real worker: ``manage.py qcluster`` as a process of its own, on the test database."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from django.db import connection

ROOT = Path(__file__).resolve().parents[2]


def test_database_url() -> str:
    """The database of the tests, as a process that is no test is told of it."""
    settings = {name: quote(str(connection.settings_dict[name]), safe="") for name in ("USER", "PASSWORD", "NAME")}
    options = {"host": connection.settings_dict["HOST"], "port": connection.settings_dict["PORT"]}
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in options.items() if value)
    return f"postgres://{settings['USER']}:{settings['PASSWORD']}@/{settings['NAME']}?{query}"


test_database_url.__test__ = False  # type: ignore[attr-defined]  # pytest goes by the name


@contextmanager
def running_cluster(log: Path, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A complete worker for as long as the block lasts; what it says is in the log."""
    with log.open("wb") as output:
        cluster = subprocess.Popen(
            [sys.executable, "manage.py", "qcluster"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": test_database_url(), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield cluster
        finally:
            stop(cluster)


def stop(cluster: "subprocess.Popen[bytes]") -> None:
    """SIGTERM to the main process alone: its whole group hangs on one. What then is left of the group is killed."""
    cluster.terminate()
    with suppress(subprocess.TimeoutExpired):
        cluster.wait(timeout=20)
    with suppress(ProcessLookupError):
        os.killpg(cluster.pid, signal.SIGKILL)
    cluster.wait()
