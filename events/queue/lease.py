"""The lease: how many notifications become one job. ``events.models.engine.Watch`` says what a lease is."""

from time import monotonic
from typing import Any

from django.db import connection

from customers.sql import execute, fetch_row

# How long a drain goes on polling after the last change it found, and how long a queued job may take to start
# before another may be queued.
LEASE_SECONDS = 1.0

# How long a caller that wakes a worker waits for a lock, here and on the queue, before leaving it to the broker's own
# poll: mostly this is an editor's request.
QUEUE_PATIENCE = "250ms"
FOR_EVER = "0"
# What the statement of a caller that wakes a worker is given.
FIRST_LEASE: dict[str, str | float] = {"patience": QUEUE_PATIENCE, "seconds": LEASE_SECONDS}

# No valid lease reaches so far: the database's clock was set back since, and no worker is going to poll.
LONGEST_LEASE = "interval '1 minute'"

# For how many seconds more the lease is held.
SECONDS_HELD = f"""
SELECT COALESCE(date_part('epoch', (SELECT awake_until FROM events_watch
    WHERE awake_until > clock_timestamp() AND awake_until < clock_timestamp() + {LONGEST_LEASE}
) - clock_timestamp()), 0)
"""

# A lease lost in a crash of the database costs one poll; waiting for the disk would cost every notification. Both end
# with the transaction. A statement of its own: one statement locks its tables before any part of it is run.
QUICKLY = "SELECT set_config('synchronous_commit', 'off', true), set_config('lock_timeout', %(patience)s, true);"

# The row keeps the lease, the sequence shows it to the triggers, which read that without a query.
_LEASED = """
WITH leased AS (
    INSERT INTO events_watch (id, awake_until) VALUES (1, clock_timestamp() + make_interval(secs => %(seconds)s))
    ON CONFLICT (id) DO UPDATE SET awake_until = excluded.awake_until
    WHERE events_watch.awake_until < {} OR events_watch.awake_until > clock_timestamp() + {}
    RETURNING awake_until
)"""
SHOW = "setval('events_awake', (date_part('epoch', awake_until) * 1000)::bigint)"
LEASED_UNLESS_HELD = f"{QUICKLY} {_LEASED.format('clock_timestamp()', LONGEST_LEASE)}"
ACQUIRE = f"{LEASED_UNLESS_HELD} SELECT {SHOW} FROM leased"
EXTEND = f"{QUICKLY} {_LEASED.format('excluded.awake_until', LONGEST_LEASE)} SELECT {SHOW} FROM leased"


class LeaseCache:
    """What this process has seen of the lease, so that not every save has to ask again while it lasts."""

    def __init__(self) -> None:
        self._until = 0.0

    def remember(self, asked: float, seconds: float) -> bool:
        """Whether the lease is held, by an answer to a query that was sent at this ``monotonic()`` time."""
        self._until = asked + seconds
        return seconds > 0

    def is_held(self) -> bool:
        """Whether the lease seen last still lasts. If not, there may be another."""
        return monotonic() < self._until

    def forget(self, **kwargs: Any) -> None:
        """Ask again. Connected to Django's ``connection_created``: it may be another database, or a restored one."""
        self._until = 0.0


cache = LeaseCache()


def is_held() -> bool:
    """Whether a drain will poll after this moment. Takes no lock, and mostly sends no query."""
    if cache.is_held():
        return True
    asked = monotonic()
    return cache.remember(asked, fetch_row(SECONDS_HELD)[0])


def acquire(statement: str = ACQUIRE, **values: str) -> bool:
    """Take the lease unless it is held; True when it is up to the caller now.

    A ``statement`` that begins with ``LEASED_UNLESS_HELD`` does more in the same round trip.
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, {**FIRST_LEASE, **values})
        cursor.nextset()
        return cursor.fetchone() is not None


def extend(seconds: float = LEASE_SECONDS) -> None:
    """Hold the lease until ``seconds`` from now, also where another holds it; a longer one stays as it is."""
    execute(EXTEND, {"patience": FOR_EVER, "seconds": seconds})


class LeaseHolder:
    """The lease as a drain holds it: first that of the caller that queued it, then its own."""

    def __init__(self) -> None:
        self._until = monotonic() + LEASE_SECONDS

    def extend(self) -> None:
        """Extend the lease, at most a few times a second: every editor's statement reads that row."""
        if self._until - monotonic() < LEASE_SECONDS / 2:
            extend()
            # Taken after the database's clock was read, so that the lease is over there when it is over here.
            self._until = monotonic() + LEASE_SECONDS

    def is_over(self, poll_began: float) -> bool:
        """Whether a poll that began at this ``monotonic()`` time came after the end of the lease."""
        return poll_began > self._until
