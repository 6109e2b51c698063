"""Heartbeats: what a cluster's processes leave in ``events_worker``, and what the supervisor makes of it."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, cast

from django.conf import settings
from django.db import close_old_connections, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django_q.conf import Conf

from events.worker.own_connection import OwnConnection, with_limit

# --- what the processes of a cluster leave behind ---

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


# --- what the supervisor reads, on a connection of its own: short of patience, so that nothing holds it up ---


@dataclass(frozen=True)
class Facts:
    """What a row of ``events_worker`` says; nothing where there is none."""

    looked_at: datetime | None = None
    guarded_at: datetime | None = None
    claimed_at: datetime | None = None
    acknowledged_at: datetime | None = None


CONNECT_SECONDS = 5  # to a host that does not even refuse
STATEMENT_MILLISECONDS = 5000
# The server itself may stand still, while its kernel acknowledges all that it is sent.
ANSWER_SECONDS = 6.0

# A row that is lost in a crash of the database comes back with the pusher's next look.
BE_QUICK = """
SELECT set_config('synchronous_commit', 'off', false), set_config('statement_timeout', %s, false)
"""

APPLIED_MIGRATIONS = "SELECT app, name FROM django_migrations"
HAS_MIGRATIONS = "SELECT to_regclass('django_migrations') IS NOT NULL"

REGISTER = """
INSERT INTO events_worker (name, host, started_at) VALUES (%s, %s, clock_timestamp())
"""
FORGET = "DELETE FROM events_worker WHERE name = %s"
CLEAR_AWAY = """
DELETE FROM events_worker WHERE COALESCE(looked_at, started_at) < clock_timestamp() - interval '1 day'
"""
FACTS = "SELECT looked_at, guarded_at, claimed_at, acknowledged_at FROM events_worker WHERE name = %s"


class WorkerFacts(OwnConnection):
    """What clusters have left of themselves, for the supervisor."""

    def prepare(self, wrapper: DatabaseWrapper) -> None:
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
        [(has_migrations,)] = self._rows(HAS_MIGRATIONS)
        applied = set(self._rows(APPLIED_MIGRATIONS)) if has_migrations else set()
        return sorted(app for app, _name in set(MigrationLoader(None).graph.leaf_nodes()) - applied)

    def register(self, name: str, host: str) -> bool:
        """A cluster of this name is going to be started. Rows of those that are long dead go."""
        self._execute(CLEAR_AWAY)
        self._execute(REGISTER, name, host)
        return True

    def of(self, name: str) -> Facts:
        """What the cluster has left of itself."""
        rows = self._rows(FACTS, name)
        return Facts(*rows[0]) if rows else Facts()

    def forget(self, name: str) -> None:
        self._execute(FORGET, name)

    def _rows(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        with self.connected().cursor() as cursor:
            cursor.execute(statement, values)
            return cast(list[tuple[Any, ...]], cursor.fetchall())

    def _execute(self, statement: str, *values: str) -> None:
        with self.connected().cursor() as cursor:
            cursor.execute(statement, values)


# --- whether the cluster is alive: judged from outside, by how long a fact has not changed before our eyes ---

# A cluster that has just been started imports, connects, and may have to compile the model's kernels: all of its
# processes are slow until its first job is done.
START_SECONDS = 120.0


class Pulse:
    """Tells a stall from facts. Times are those of ``monotonic()``."""

    def __init__(self, stall_seconds: float, now: float) -> None:
        self._stall_seconds = stall_seconds
        self._facts = Facts()
        self._has_started = False
        self._began = self._felt = self._looked = self._guarded = self._claimed = now

    def feel(self, facts: Facts, now: float) -> str:
        """What is wrong with the cluster, in words; empty when nothing is."""
        if now - self._felt > self._stall_seconds / 2:
            self.forgive(now)  # it was ourselves who stood still, and perhaps the whole machine
        former, self._facts, self._felt = self._facts, facts, now
        if facts.looked_at != former.looked_at:
            self._looked = now
        if facts.guarded_at != former.guarded_at:
            self._guarded = now
        if facts.claimed_at is None or facts.claimed_at != former.claimed_at:
            self._claimed = now
        if facts.acknowledged_at is not None and not self._has_started:
            self._has_started = True
            self.forgive(now)
        return self._fault(now)

    def forgive(self, now: float) -> None:
        """Nothing could be seen until now, and perhaps the cluster could not do anything either."""
        self._felt = self._looked = self._guarded = self._claimed = now

    def is_steady(self, now: float) -> bool:
        """Whether the cluster has done some work, and lived so long that a stall would have shown."""
        return self._facts.acknowledged_at is not None and now - self._began > self._stall_seconds

    def _fault(self, now: float) -> str:
        facts = self._facts
        for word, since, first_seen in (
            ("its pusher has not looked for jobs", self._looked, facts.looked_at),
            ("its sentinel has not guarded it", self._guarded, facts.guarded_at),
            ("it has claimed a job and acknowledged none", self._claimed, facts.acknowledged_at),
        ):
            is_at_work = self._has_started and first_seen
            patience = self._stall_seconds if is_at_work else max(self._stall_seconds, START_SECONDS)
            if now - since > patience:
                return f"{word} for {now - since:.0f} s"
        return ""
