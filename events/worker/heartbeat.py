"""The heartbeats that a cluster's processes leave in the database: ``events.models.engine.Worker``."""

import os
import socket
from time import monotonic

from django.conf import settings
from django.db import close_old_connections, connections
from django_q.conf import Conf

SIGN_SECONDS = 1.0  # how often somebody who has nothing to report says so

# A fact lost in a crash of the database is said again, and a job whose deletion is lost runs again: it may.
ACKNOWLEDGE = """
WITH setting AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
done AS (DELETE FROM django_q_ormq USING setting WHERE id = %s)
UPDATE events_worker SET claimed_at = NULL, acknowledged_at = clock_timestamp() WHERE name = %s
"""
GUARDED = """
WITH setting AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
UPDATE events_worker SET guarded_at = clock_timestamp() FROM setting WHERE name = %s
"""


def host() -> str:
    return socket.gethostname()


def worker_name() -> str:
    """The name that the supervisor gave; without one, what pusher and monitor of a cluster have in common."""
    return settings.WORKER_NAME or f"{host()}:{os.getppid()}"


def acknowledge(job_id: int) -> None:
    """Delete a job that is done, and with it the note that this worker has claimed one."""
    _execute(ACKNOWLEDGE, job_id, worker_name())


def say_guarded() -> None:
    """The sentinel is at work."""
    _execute(GUARDED, worker_name())


class Beat:
    """Due at most once a second."""

    def __init__(self) -> None:
        self._due = 0.0

    def is_due(self) -> bool:
        return monotonic() >= self._due

    def done(self) -> None:
        self._due = monotonic() + SIGN_SECONDS


def _execute(statement: str, *values: str | int) -> None:
    close_old_connections()  # outside requests nobody else mends a connection that was lost
    with connections[Conf.ORM].cursor() as cursor:
        cursor.execute(statement, values)
