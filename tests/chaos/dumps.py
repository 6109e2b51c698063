"""Restores of a storm: into a database beside, which then takes the place of the other, as banks do it."""

from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

import psycopg

from vigilpay.private_postgresql.installation import NAME

if TYPE_CHECKING:
    from tests.chaos.neighbours import Neighbour

BESIDE, FORMER = f"{NAME}_beside", f"{NAME}_former"
SWAP = (
    f"ALTER DATABASE {NAME} RENAME TO {FORMER}",
    f"ALTER DATABASE {BESIDE} RENAME TO {NAME}",
    f"DROP DATABASE {FORMER}",
)
CLOSE = f"ALTER DATABASE {NAME} WITH ALLOW_CONNECTIONS false"
EMPTY = f"SELECT count(pg_terminate_backend(pid, 1000)) FROM pg_stat_activity WHERE datname IN ('{NAME}', '{BESIDE}')"
ATTEMPTS = 50


def make_beside(server: "Neighbour") -> None:
    """An empty database beside the present one."""
    server.sql(f"DROP DATABASE IF EXISTS {BESIDE} WITH (FORCE)", f"CREATE DATABASE {BESIDE}", dbname="postgres")


def restore_beside(server: "Neighbour", dump: Path, *options: str) -> None:
    make_beside(server)
    server.program("pg_restore", f"--dbname={BESIDE}", *options, str(dump))


def swap(server: "Neighbour") -> None:
    """Every session of the present database is ended; those that come again find the other one under its name."""
    with server.connect("postgres") as connection:
        connection.execute(CLOSE)
        for attempt in range(ATTEMPTS):
            connection.execute(EMPTY)
            try:
                connection.execute(SWAP[0])
                break
            except psycopg.errors.ObjectInUse:
                if attempt == ATTEMPTS - 1:
                    raise
                sleep(0.05)
        for statement in SWAP[1:]:
            connection.execute(statement)
