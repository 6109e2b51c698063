"""A streaming replica that takes over: edits go on there, and every row that is stale is found."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.chaos.server import StormServer
from tests.databases import address
from tests.factories import SOMEBODY

ROOT = Path(__file__).resolve().parent.parent.parent
DRAIN = """
from customers import marks
from customers.scoring import rescore_batch
for _ in range(10):
    if not rescore_batch().claimed: marks.restore_marks()
"""
INSERT = f"""
INSERT INTO customers_customer (customer_id, {", ".join(SOMEBODY)})
SELECT number, {", ".join(["%s"] * len(SOMEBODY))} FROM generate_series(%s::bigint, %s::bigint) AS number
"""
# The replica began before these were made, and has written no restartpoint since: nothing unlogged is there.
UNLOGGED_SEQUENCES = "SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relpersistence = 'u'"


@contextmanager
def replica_of(primary):
    """Streams from its own start on; yields its address and a way to promote it."""
    server = primary._server()
    programs, folder = server.program_directory, server.home / "replica"
    if not (programs / "pg_basebackup").exists():
        pytest.skip("pg_basebackup is not installed")
    sockets = server.socket_directory
    copied = server.account.run(
        *(programs / "pg_basebackup", "-h", sockets, "-p", "5432", "-U", "vigilpay"),
        *("-D", folder, "-R", "-c", "fast", "-X", "stream"),
    )
    assert copied.returncode == 0, copied.stderr
    options = f"-c port=5433 -c listen_addresses='' -c unix_socket_directories={sockets} -c shared_buffers=16MB"
    control = (programs / "pg_ctl", "-D", folder, "-w")
    started = server.account.run(*control, "-l", server.home / "replica.log", "-o", options, "start")
    assert started.returncode == 0, started.stderr
    try:
        yield (
            address({**server.connection_settings(), "PORT": "5433"}),
            lambda: server.account.run(*control, "promote"),
        )
    finally:
        server.account.run(*control, "-m", "immediate", "stop")


def manage(url, *arguments):
    environment = {**os.environ, "DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def wait_until_streamed(primary, replica):
    position = primary.execute("SELECT pg_current_wal_lsn()").fetchone()[0]
    while not replica.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [position]).fetchone()[0]:
        pass


def test_a_replica_that_is_promoted_right_after_migrate_takes_edits_and_all_are_scored():
    with StormServer() as primary, replica_of(primary) as (url, promote):
        manage(primary.url, "migrate", "--verbosity", "0")
        with primary.connect() as connection, psycopg.connect(url, autocommit=True) as replica:
            connection.execute(INSERT, [*SOMEBODY.values(), 1, 30])
            wait_until_streamed(connection, replica)
            assert promote().returncode == 0
        with psycopg.connect(url, autocommit=True) as promoted:
            assert promoted.execute(UNLOGGED_SEQUENCES).fetchone() == (0,)
            promoted.execute("UPDATE customers_customer SET age = 50 WHERE customer_id <= 20")
            promoted.execute(INSERT, [*SOMEBODY.values(), 31, 40])
            manage(url, "shell", "--no-imports", "-c", DRAIN)
            scored = promoted.execute("SELECT count(*) FROM customers_customer WHERE stale_since IS NULL").fetchone()
            assert scored == (40,)
