"""Promises to look: how many knocks become one job. ``events.models.Watch`` says what a promise is."""

from time import monotonic

from django.db import connection

# How long a drain goes on looking after the last change it found, and how long a queued job may take to start
# before somebody else is allowed to queue another.
PROMISE_SECONDS = 1.0

# Claims the promise only where nobody else's still holds, and tells whether it did.
PROMISE_UNLESS_AWAKE = """
INSERT INTO events_watch (id, awake_until) VALUES (1, clock_timestamp() + make_interval(secs => %s))
ON CONFLICT (id) DO UPDATE SET awake_until = excluded.awake_until WHERE events_watch.awake_until <= clock_timestamp()
RETURNING 1
"""
PROMISE = """
INSERT INTO events_watch (id, awake_until) VALUES (1, clock_timestamp() + make_interval(secs => %s))
ON CONFLICT (id) DO UPDATE SET awake_until = greatest(events_watch.awake_until, excluded.awake_until)
"""


def promise_unless_awake(seconds: float = PROMISE_SECONDS) -> bool:
    """Promise to look, unless somebody has promised already; True when it is up to the caller now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM events_watch WHERE awake_until > clock_timestamp()")  # takes no lock, unlike:
        if cursor.fetchone() is not None:
            return False
        cursor.execute(PROMISE_UNLESS_AWAKE, [seconds])
        return cursor.fetchone() is not None


def promise(seconds: float = PROMISE_SECONDS) -> None:
    """Promise to look once more after ``seconds`` from now, whoever else has promised what."""
    with connection.cursor() as cursor:
        cursor.execute(PROMISE, [seconds])


class Vigil:
    """A drain's own promise, kept ahead of it for as long as it finds something to do."""

    def __init__(self) -> None:
        self._until = 0.0
        self.extend()

    def extend(self) -> None:
        """Promise anew, at most a few times a second: the row is one that every editor's statement reads."""
        if self._until - monotonic() < PROMISE_SECONDS / 2:
            promise()
            # Taken after the database's clock was read, so that the promise is over there when it is over here.
            self._until = monotonic() + PROMISE_SECONDS

    def over(self, look_began: float) -> bool:
        """Whether a look that began at this ``monotonic()`` time came after all that was promised."""
        return look_began > self._until
