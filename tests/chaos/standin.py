"""A watchdog for as long as the project has none: ``qcluster``, started anew when it ends or stands still."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from time import monotonic, sleep

import psycopg

STALL_SECONDS = 4.0
START_SECONDS = 12.0
OLDEST = """
SELECT COALESCE(extract(epoch FROM clock_timestamp() - min(stale_since)), 0) FROM customers_customer
WHERE stale_since IS NOT NULL
"""


def oldest_stale_seconds() -> float:
    try:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, connect_timeout=2) as connection:
            return float(connection.execute(OLDEST).fetchone()[0])
    except psycopg.Error:
        return 0.0


def run_until_it_stalls() -> None:
    cluster = subprocess.Popen([sys.executable, "manage.py", "qcluster"], start_new_session=True)
    patient_until = monotonic() + START_SECONDS
    while cluster.poll() is None and (oldest_stale_seconds() < STALL_SECONDS or monotonic() < patient_until):
        sleep(0.5)
    with suppress(ProcessLookupError):
        os.killpg(cluster.pid, signal.SIGKILL)
    cluster.wait()


if __name__ == "__main__":
    while True:
        run_until_it_stalls()
        sleep(0.5)
