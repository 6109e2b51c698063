"""A PostgreSQL server of the storm's own, to be crashed and restarted without hurting anybody."""

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.databases import address
from vigilpay import env
from vigilpay.localdb import LocalServer

# Every session of the storm's database, but for the one that asks.
TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
SOME_BACKEND = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
"""


class StormServer:
    """Runs while the block lasts, in a temporary folder that also holds the storm's model files and logs."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vigilpay-chaos-"))
        self.folder.chmod(0o755)  # the account that root drops to has to pass
        for name in ("checkout", "away"):
            (self.folder / name).mkdir(mode=0o755)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server().stop(mode="immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _server(self) -> LocalServer:
        # A new object each time: it remembers what it has seen of a data directory.
        return LocalServer(self.folder / "checkout", env.text("VIGILPAY_PG_BIN", ""), (self.folder / "away",))

    @property
    def url(self) -> str:
        return address(self._server().connection_settings())

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True, **options)

    def start(self) -> None:
        self._server().ensure_started()

    def stop(self, mode: str) -> None:
        self._server().stop(mode=mode)

    def terminate_backends(self) -> int:
        """End every session at once, as an administrator or a failing network does; how many there were."""
        with self.connect() as connection:
            return int(connection.execute(TERMINATE).fetchone()[0])

    def kill_a_backend(self) -> None:
        """kill -9 of one session's process: PostgreSQL throws all the others out, and recovers as from a crash."""
        with self.connect() as connection:
            found = connection.execute(SOME_BACKEND).fetchone()
        if found:
            os.kill(found[0], signal.SIGKILL)
