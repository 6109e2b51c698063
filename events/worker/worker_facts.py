"""The supervisor's own connection to the database: short of patience, so that nothing holds up the one who watches."""

from typing import Any, cast

from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from events.worker.own_connection import OwnConnection, with_limit
from events.worker.pulse import Facts

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
