"""Heartbeats: what a cluster's processes leave in ``events_worker``, and what the supervisor makes of it."""

import os
from dataclasses import dataclass
from datetime import datetime
from socket import gethostname
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django_q.conf import Conf

from events.worker.own_connection import OwnConnection, with_limit

# --- what the processes of a cluster leave behind ---

HEARTBEAT_SECONDS = 1.0  # how often a process with nothing to report says so

# A heartbeat lost in a crash of the database is sent again, and a job whose deletion is lost runs again: it may.
DELETE_JOB = """
WITH setting AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
done AS (DELETE FROM django_q_ormq USING setting WHERE id = %s)
UPDATE events_worker SET claimed_at = NULL, acknowledged_at = clock_timestamp() WHERE name = %s
"""
GUARDING = """
WITH setting AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
UPDATE events_worker SET guarded_at = clock_timestamp() FROM setting WHERE name = %s
"""


def worker_name() -> str:
    """The name that the supervisor gave; without one, what pusher and monitor of a cluster have in common."""
    return settings.WORKER_NAME or f"{gethostname()}:{os.getppid()}"


def delete_job(job_id: int) -> None:
    """Delete a job that is done, and with it the note that this worker has claimed one."""
    _execute(DELETE_JOB, job_id, worker_name())


def report_guarding() -> None:
    """The sentinel is at work."""
    _execute(GUARDING, worker_name())


def _execute(statement: str, *values: str | int) -> None:
    close_old_connections()  # outside requests Django does not replace a connection that was lost
    with connections[Conf.ORM].cursor() as cursor:
        cursor.execute(statement, values)


# --- what the supervisor reads, on a connection of its own: short of patience, so that nothing holds it up ---


@dataclass(frozen=True)
class Heartbeats:
    """What a row of ``events_worker`` says; nothing where there is none."""

    looked_at: datetime | None = None
    guarded_at: datetime | None = None
    claimed_at: datetime | None = None
    acknowledged_at: datetime | None = None


CONNECT_SECONDS = 5  # to a host that does not even refuse
STATEMENT_MILLISECONDS = 5000
# The server itself may stand still, while its kernel acknowledges all that it is sent.
ANSWER_SECONDS = 6.0

# A row that is lost in a crash of the database comes back with the pusher's next heartbeat.
BE_QUICK = """
SELECT set_config('synchronous_commit', 'off', false), set_config('statement_timeout', %s, false)
"""

APPLIED_MIGRATIONS = "SELECT app, name FROM django_migrations"
HAS_MIGRATIONS = "SELECT to_regclass('django_migrations') IS NOT NULL"

REGISTER = """
INSERT INTO events_worker (name, host, started_at) VALUES (%s, %s, clock_timestamp())
"""
UNREGISTER = "DELETE FROM events_worker WHERE name = %s"
DELETE_OLD = """
DELETE FROM events_worker WHERE COALESCE(looked_at, started_at) < clock_timestamp() - interval '1 day'
"""
HEARTBEATS = "SELECT looked_at, guarded_at, claimed_at, acknowledged_at FROM events_worker WHERE name = %s"


class WorkerTable(OwnConnection):
    """The rows of the clusters, for the supervisor."""

    def set_up(self, wrapper: DatabaseWrapper) -> None:
        options = {**wrapper.settings_dict["OPTIONS"], "connect_timeout": CONNECT_SECONDS}
        # A host that vanishes without a word: the kernel gives up what it could not deliver.
        options["tcp_user_timeout"] = STATEMENT_MILLISECONDS
        wrapper.settings_dict = {**wrapper.settings_dict, "OPTIONS": options}
        connect = wrapper.get_new_connection
        wrapper.get_new_connection = lambda conn_params: with_limit(connect(conn_params), ANSWER_SECONDS)  # type: ignore[method-assign]
        with wrapper.cursor() as cursor:
            cursor.execute(BE_QUICK, [str(STATEMENT_MILLISECONDS)])

    def pending_migrations(self) -> list[str]:
        """The applications whose tables are older than this code."""
        [(has_migrations,)] = self._execute(HAS_MIGRATIONS)
        applied = set(self._execute(APPLIED_MIGRATIONS)) if has_migrations else set()
        return sorted(app for app, _name in set(MigrationLoader(None).graph.leaf_nodes()) - applied)

    def register(self, name: str) -> None:
        """A cluster of this name is going to be started on this host. Rows of those that are long dead go."""
        self._execute(DELETE_OLD)
        self._execute(REGISTER, name, gethostname())

    def heartbeats_of(self, name: str) -> Heartbeats:
        """What the cluster has left."""
        rows = self._execute(HEARTBEATS, name)
        return Heartbeats(*rows[0]) if rows else Heartbeats()

    def unregister(self, name: str) -> None:
        self._execute(UNREGISTER, name)

    def _execute(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        with self.connected().cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


# --- whether the cluster is alive: judged from outside, by how long a heartbeat has not changed before our eyes ---

# A cluster that has just been started imports, connects, and may have to compile the model's kernels: all of its
# processes are slow until its first job is done.
START_SECONDS = 120.0


class StallDetector:
    """Tells a stall from heartbeats. Times are those of ``monotonic()``."""

    def __init__(self, stall_seconds: float, now: float) -> None:
        self._stall_seconds = stall_seconds
        self._last = Heartbeats()
        self._has_started = False
        self._began = self._checked = self._looked = self._guarded = self._claimed = now

    def check_heartbeats(self, found: Heartbeats, now: float) -> str:
        """What is wrong with the cluster, in words; empty when nothing is."""
        if now - self._checked > self._stall_seconds / 2:
            self.forgive(now)  # it was ourselves who stood still, and perhaps the whole machine
        former, self._last, self._checked = self._last, found, now
        if found.looked_at != former.looked_at:
            self._looked = now
        if found.guarded_at != former.guarded_at:
            self._guarded = now
        if found.claimed_at is None or found.claimed_at != former.claimed_at:
            self._claimed = now
        if found.acknowledged_at is not None and not self._has_started:
            self._has_started = True
            self.forgive(now)
        return self._find_fault(now)

    def forgive(self, now: float) -> None:
        """Nothing could be seen until now, and perhaps the cluster could not do anything either."""
        self._checked = self._looked = self._guarded = self._claimed = now

    def is_steady(self, now: float) -> bool:
        """Whether the cluster has done some work, and lived so long that a stall would have shown."""
        return self._last.acknowledged_at is not None and now - self._began > self._stall_seconds

    def _find_fault(self, now: float) -> str:
        for fault, since, first_seen in (
            ("its pusher has not looked for jobs", self._looked, self._last.looked_at),
            ("its sentinel has not guarded it", self._guarded, self._last.guarded_at),
            ("it has claimed a job and acknowledged none", self._claimed, self._last.acknowledged_at),
        ):
            is_at_work = self._has_started and first_seen
            patience = self._stall_seconds if is_at_work else max(self._stall_seconds, START_SECONDS)
            if now - since > patience:
                return f"{fault} for {now - since:.0f} s"
        return ""
