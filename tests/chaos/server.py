"""A PostgreSQL server of the storm's own, to be crashed, replaced and restored without harm to another."""

import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.conninfo import make_conninfo

from tests.chaos.dumps import BESIDE, make_beside, restore_beside, swap
from tests.chaos.neighbours import Neighbour
from tests.chaos.settings import WORKER_SETTINGS
from tests.databases import address
from vigilpay.private_postgresql.installation import NAME
from vigilpay.private_postgresql.postmaster import PORT

# Needs a restart, and the storm has no use for one: what editors who commit in two phases ask for.
SETTINGS = "ALTER SYSTEM SET max_prepared_transactions = 20"
# Whatever a fault makes the database's defaults, the storm's own eyes read the same.
PLAIN = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "datestyle": "ISO",
        "intervalstyle": "postgres",
        "timezone": "UTC",
        "extra_float_digits": "1",
        "default_transaction_isolation": r"read\ committed",
    }.items()
)

SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND query LIKE %s"
# Every session of the storm's database, but for the one that asks.
TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
SOME_BACKEND = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
"""
EVERY_BACKEND = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"


class StormServer:
    """Runs while the block lasts, in a temporary folder that also holds the storm's model files and logs.

    Workers and editors reach it by an address that stays the same when another server takes its place.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vigilpay-chaos-"))
        self.folder.chmod(0o755)  # the account that root drops to has to pass
        self._address = self.folder / "address"
        self._address.mkdir()
        self._neighbours: list[Neighbour] = []
        self._now = self.neighbour("server")

    def __enter__(self) -> Self:
        self.start()
        with self.connect() as connection:
            connection.execute(SETTINGS)
        self.stop("fast")
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for neighbour in self._neighbours:
            neighbour.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def neighbour(self, name: str) -> Neighbour:
        """A server beside this one, or to come in its place: not started, and gone with the storm."""
        made = Neighbour(self.folder / f"{name}-{len(self._neighbours)}")
        self._neighbours.append(made)
        return made

    @property
    def url(self) -> str:
        return address({"HOST": str(self._address), "PORT": PORT, "USER": NAME, "NAME": NAME})

    @property
    def url_beside(self) -> str:
        """Of the database that is to take the place of the present one."""
        return address({"HOST": str(self._address), "PORT": PORT, "USER": NAME, "NAME": BESIDE})

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(make_conninfo(self.url, options=PLAIN, **options), autocommit=True)

    def start(self) -> None:
        self._now.start()
        self._point_at(self._now)

    def stop(self, mode: str) -> None:
        self._now.stop(mode)

    def _point_at(self, server: Neighbour) -> None:
        draft = self._address / "draft"
        draft.symlink_to(server.socket)
        draft.replace(self._address / server.socket.name)

    # --- sessions -----------------------------------------------------------------------------------------------------

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

    def sessions_of_the_worker(self, query: str = "%") -> list[int]:
        """The backends of its sessions whose last query was like this."""
        with self.connect() as connection:
            return [row[0] for row in connection.execute(SESSIONS, [WORKER_SETTINGS["PGAPPNAME"], query])]

    def processes(self) -> list[int]:
        """The postmaster's, then those of all others."""
        with self.connect() as connection:
            others = [row[0] for row in connection.execute(EVERY_BACKEND)]
        return [self._now.pid(), *others]

    # --- another server, another database -----------------------------------------------------------------------------

    def standby(self) -> Neighbour:
        """A streaming replica of this server, at work."""
        made = self.neighbour("standby")
        made.copy_of(self._now)
        made.start()
        return made

    def fail_over_to(self, standby: Neighbour) -> None:
        """This server is lost for good, and the replica takes its place and its address."""
        self._now.stop("immediate")
        standby.promote()
        former, self._now = self._now, standby
        self._point_at(standby)
        shutil.rmtree(former.root, ignore_errors=True)

    def missing(self, programs: Sequence[str]) -> list[str]:
        """Those of PostgreSQL's programs that are not there."""
        directory = self._now.local().program_directory
        return [name for name in programs if not (directory / name).exists()]

    def dump(self, name: str, *options: str) -> Path:
        path = self.folder / f"{name}.dump"
        path.unlink(missing_ok=True)
        self._now.program("pg_dump", "--format=custom", f"--file={path}", *options, NAME)
        return path

    def await_replica(self, sync_state: str) -> None:
        self._now.await_replica(sync_state)

    def make_beside(self) -> None:
        """An empty database, until ``swap``."""
        make_beside(self._now)

    def load(self, dump: Path) -> None:
        """The rows of a dump, into tables that are there and empty."""
        self._now.program("pg_restore", "--data-only", "--disable-triggers", f"--dbname={NAME}", str(dump))

    def restore_beside(self, dump: Path, *options: str) -> None:
        """Into another database, until ``swap``."""
        restore_beside(self._now, dump, *options)

    def swap(self) -> None:
        """The database beside takes the place of the present one, which is dropped; every session is ended."""
        swap(self._now)
