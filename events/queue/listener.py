"""A connection of the broker's own: it sleeps in LISTEN, claims jobs, and makes a job of a notification."""

from typing import cast

from django.db.backends.postgresql.base import DatabaseWrapper
from django_q.conf import Conf

from events.queue import lease
from events.triggers.channels import JOBS_CHANNEL, STALE_CHANNEL
from events.worker.own_connection import OwnConnection

UNTIL_RETRY = "clock_timestamp() + make_interval(secs => %(retry)s)"

# The note costs no round trip of its own, and nothing when there is no job.
NOTE = """
    UPDATE events_worker SET claimed_at = clock_timestamp()
    WHERE name = %(worker)s AND claimed_at IS NULL AND EXISTS (SELECT FROM claimed)
"""
# The jobs that are due are looked for once: PostgreSQL may run a subquery in FROM again for each row it is joined with,
# and then more jobs are locked, and claimed, than the limit says.
CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM django_q_ormq WHERE key = %(key)s AND lock <= clock_timestamp()
    ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE django_q_ormq AS job SET lock = {UNTIL_RETRY} FROM due WHERE job.id = due.id
    RETURNING job.id, job.payload
), noted AS ({NOTE})
SELECT id, payload FROM claimed
"""

# A job that is queued and claimed at once, unless the lease is held: a broker that was notified need not notify itself.
TAKE_UP = f"""
{lease.LEASED_UNLESS_HELD}, claimed AS (
    INSERT INTO django_q_ormq (key, payload, lock) SELECT %(key)s, %(job)s, {UNTIL_RETRY} FROM leased
    RETURNING id, payload
), noted AS ({NOTE})
SELECT id, payload, {lease.SHOW} FROM leased, claimed
"""

# An upsert, so that a row that was lost comes back.
POLLED = """
INSERT INTO events_worker (name, host, started_at, looked_at)
VALUES (%s, %s, clock_timestamp(), clock_timestamp())
ON CONFLICT (name) DO UPDATE SET looked_at = excluded.looked_at
"""

Jobs = list[tuple[int, str]]


class Listener(OwnConnection):
    """Sleeps, receives notifications, and claims."""

    def set_up(self, wrapper: DatabaseWrapper) -> None:
        with wrapper.cursor() as cursor:
            # LISTEN comes before the first claim, so that no job queued in between is missed.
            cursor.execute(f"LISTEN {JOBS_CHANNEL}")
            cursor.execute(f"LISTEN {STALE_CHANNEL}")
            # A claim lost in a crash of the database only means that the job is claimed again.
            cursor.execute("SET synchronous_commit TO off")

    def claim(self, queue: str, worker: str = "") -> Jobs:
        """Take the oldest due jobs for this worker; another gets them if they are not acknowledged in time."""
        with self.connected().cursor() as cursor:
            cursor.execute(CLAIM, {"retry": Conf.RETRY, "key": queue, "limit": Conf.BULK, "worker": worker})
            return cast(Jobs, cursor.fetchall())

    def take_up(self, queue: str, job: str, worker: str = "") -> Jobs:
        """Take the lease and give out this job, as if it had been queued and claimed; nothing if the lease is held."""
        values = {**lease.FIRST_LEASE, "retry": Conf.RETRY, "key": queue, "job": job, "worker": worker}
        with self.connected().cursor() as cursor:
            cursor.execute(TAKE_UP, values)
            cursor.nextset()
            return [(job_id, payload) for job_id, payload, _shown in cursor.fetchall()]

    def report_polling(self, worker: str, host: str) -> None:
        """The pusher's heartbeat, read by the supervisor."""
        with self.connected().cursor() as cursor:
            cursor.execute(POLLED, [worker, host])

    def wait(self, seconds: float) -> set[str]:
        """Sleep until notified, or until the time is up; the channels that were notified meanwhile."""
        notices = self.connected().connection.notifies(timeout=seconds, stop_after=1)
        return {notice.channel for notice in notices}
