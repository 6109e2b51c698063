"""A connection of the broker's own: it sleeps in LISTEN, and claims jobs."""

from typing import cast

from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django_q.conf import Conf

from events.channels import JOBS_CHANNEL, STALE_CHANNEL

CLAIM = """
UPDATE django_q_ormq AS job SET lock = clock_timestamp() + make_interval(secs => %(retry)s)
FROM (
    SELECT id FROM django_q_ormq WHERE key = %(key)s AND lock <= clock_timestamp()
    ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) AS due
WHERE job.id = due.id
RETURNING job.id, job.payload
"""

Jobs = list[tuple[int, str]]


class Listener:
    """Connects when first used, never before a fork. Errors of the database are the caller's: close, then use again."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._wrapper: DatabaseWrapper | None = None

    def claim(self, queue: str) -> Jobs:
        """Take the oldest due jobs for this worker; another gets them if they are not acknowledged in time."""
        with self._connected().cursor() as cursor:
            cursor.execute(CLAIM, {"retry": Conf.RETRY, "key": queue, "limit": Conf.BULK})
            return cast(Jobs, cursor.fetchall())

    def wait(self, seconds: float) -> set[str]:
        """Sleep until notified, or until the time is up; the channels that were notified meanwhile."""
        notices = self._connected().connection.notifies(timeout=seconds, stop_after=1)
        return {notice.channel for notice in notices}

    def close(self) -> None:
        if self._wrapper is not None:
            self._wrapper.close()
            self._wrapper = None

    def _connected(self) -> DatabaseWrapper:
        if self._wrapper is None:
            wrapper = cast(DatabaseWrapper, connections.create_connection(self._alias))
            with wrapper.cursor() as cursor:
                # LISTEN comes before the first claim, so that nothing queued in between goes unheard.
                cursor.execute(f"LISTEN {JOBS_CHANNEL}")
                cursor.execute(f"LISTEN {STALE_CHANNEL}")
                # A claim lost in a crash of the database only means that the job is claimed again.
                cursor.execute("SET synchronous_commit TO off")
            self._wrapper = wrapper
        return self._wrapper
