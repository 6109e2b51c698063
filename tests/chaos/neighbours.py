"""Servers of a storm: the one under attack, those that are to take its place, and those that feed it."""

import subprocess
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from vigilpay import env
from vigilpay.private_postgresql.account import ENVIRONMENT
from vigilpay.private_postgresql.installation import NAME, make_directory
from vigilpay.private_postgresql.postmaster import PORT, find_pid
from vigilpay.private_postgresql.server import LocalServer

PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.02

STREAMING = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = %s"


class ProgramFailedError(Exception):
    """One of PostgreSQL's own programs gave up."""


class Neighbour:
    """One PostgreSQL server in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("", "away"):
            (root / name).mkdir(mode=0o755)

    def local(self) -> LocalServer:
        # A new object each time: it remembers what it has seen of a data directory.
        return LocalServer(self.root, env.text("VIGILPAY_PG_BIN", ""), (self.root / "away",))

    @property
    def socket(self) -> Path:
        return self.local().socket_directory / f".s.PGSQL.{PORT}"

    def connect(self, dbname: str = NAME) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=str(self.local().socket_directory), port=PORT, user=NAME, dbname=dbname, autocommit=True
        )

    def conninfo(self) -> str:
        """How another server reaches it."""
        return make_conninfo(host=str(self.local().socket_directory), port=PORT, user=NAME, dbname=NAME)

    def sql(self, *statements: str, dbname: str = NAME) -> None:
        with self.connect(dbname) as connection:
            for statement in statements:
                connection.execute(statement)

    def start(self) -> None:
        self.local().ensure_started()

    def stop(self, mode: str) -> None:
        self.local().stop(mode=mode)

    def pid(self) -> int:
        return find_pid(self.local()) or 0

    def program(self, name: str, *arguments: str) -> None:
        """One of PostgreSQL's own programs, at this server."""
        local = self.local()
        where = [f"--host={local.socket_directory}", f"--port={PORT}", f"--username={NAME}"]
        command = [local.program_directory / name, *where, *arguments]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
        if done.returncode != 0:
            raise ProgramFailedError(f"{name} ended with {done.returncode}: {done.stderr.strip()}")

    # --- replicas -----------------------------------------------------------------------------------------------------

    def copy_of(self, primary: "Neighbour") -> None:
        """Become a replica of that server: not started, but ready to stream."""
        there, here = primary.local(), self.local()
        here.home.parent.mkdir(mode=0o755, exist_ok=True)
        make_directory(here.home, here.account)  # as its own start does
        done = here.account.run(
            there.program_directory / "pg_basebackup",
            *("-D", here.home / "data", "-h", there.socket_directory, "-p", PORT, "-U", NAME),
            *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
        )
        if done.returncode != 0:
            raise ProgramFailedError(f"pg_basebackup ended with {done.returncode}: {done.stderr.strip()}")

    def await_replica(self, sync_state: str) -> None:
        """Until a replica streams from this server, "sync" or "async"."""
        ends = monotonic() + PATIENCE_SECONDS
        with self.connect("postgres") as connection:
            while not connection.execute(STREAMING, [sync_state]).fetchone()[0]:
                if monotonic() > ends:
                    raise ProgramFailedError(f"no replica has become {sync_state}")
                sleep(POLL_SECONDS)

    def stop_streaming(self) -> None:
        """As when the network between the two breaks: what is committed there from now on never comes here."""
        self.sql("ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()", dbname="postgres")

    def promote(self) -> None:
        self.sql("SELECT pg_promote(true, 60)", dbname="postgres")
