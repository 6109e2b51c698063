"""A streaming replica that takes over: edits go on there, and every row that is stale is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.server import StormServer
from tests.factories import A_CUSTOMER

ROOT = Path(__file__).resolve().parent.parent.parent
DRAIN = """
from customers.scoring import marks
from customers.scoring.scorer import rescore_batch
for _ in range(10):
    if not rescore_batch().claimed: marks.restore_marks()
"""
INSERT = f"""
INSERT INTO customers_customer (customer_id, {", ".join(A_CUSTOMER)})
SELECT number, {", ".join(["%s"] * len(A_CUSTOMER))} FROM generate_series(%s::bigint, %s::bigint) AS number
"""
# The replica began before these were made, and has written no restartpoint since: nothing unlogged is there.
UNLOGGED_SEQUENCES = "SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relpersistence = 'u'"


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


@pytest.mark.slow
def test_a_replica_that_is_promoted_right_after_migrate_takes_edits_and_all_are_scored():
    with StormServer() as server:
        if missing := server.missing(["pg_basebackup"]):
            pytest.skip(f"{missing[0]} is not installed")
        standby = server.standby()  # streams from its own start on
        manage(server.url, "migrate", "--verbosity", "0")
        with server.connect() as connection, standby.connect() as replica:
            connection.execute(INSERT, [*A_CUSTOMER.values(), 1, 30])
            wait_until_streamed(connection, replica)
        server.fail_over_to(standby)
        with server.connect() as promoted:
            assert promoted.execute(UNLOGGED_SEQUENCES).fetchone() == (0,)
            promoted.execute("UPDATE customers_customer SET age = 50 WHERE customer_id <= 20")
            promoted.execute(INSERT, [*A_CUSTOMER.values(), 31, 40])
            manage(server.url, "shell", "--no-imports", "-c", DRAIN)
            scored = promoted.execute("SELECT count(*) FROM customers_customer WHERE stale_since IS NULL").fetchone()
            assert scored == (40,)
