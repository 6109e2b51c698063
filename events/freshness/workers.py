"""The workers, as far as their heartbeats tell."""

from dataclasses import dataclass
from datetime import datetime

from django_q.conf import Conf

from customers.sql import fetch_rows

# A worker whose last heartbeat is no older than this counts as running: each of its parts leaves one every second.
HEARTBEAT_SECONDS = 10.0

# The pusher leaves no heartbeat while it waits to hand on a job, as in a storm, when each job takes a drain's whole
# time: then the sentinel's counts, or an acknowledgement. Without a supervisor the sentinel leaves none: then a job
# that was claimed, and may still be at work by django-q2's own limit, says that the worker lives.
RUNNING = """COALESCE(GREATEST(looked_at, guarded_at, acknowledged_at)
        > statement_timestamp() - make_interval(secs => %(heartbeat)s)
     OR guarded_at IS NULL AND claimed_at > statement_timestamp() - make_interval(secs => %(job)s), false)"""
RUNNING_VALUES = {"heartbeat": HEARTBEAT_SECONDS, "job": Conf.TIMEOUT or Conf.RETRY}

# Rows of those that ended without a word stay for a day.
WORKERS = f"""
SELECT name, host, started_at,
    date_part('epoch', clock_timestamp() - GREATEST(looked_at, guarded_at, acknowledged_at)),
    date_part('epoch', clock_timestamp() - claimed_at), {RUNNING}
FROM events_worker ORDER BY 6 DESC, name LIMIT 100
"""


@dataclass(frozen=True)
class WorkerState:
    """One cluster. Ages are in seconds: of its last heartbeat, and of the first job that it has not acknowledged."""

    name: str
    host: str
    started_at: datetime
    heartbeat_seconds: float | None
    at_work_seconds: float | None
    is_running: bool


def all_workers() -> list[WorkerState]:
    """Those that run first."""
    return [WorkerState(*row) for row in fetch_rows(WORKERS, RUNNING_VALUES)]
