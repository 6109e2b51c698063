"""Promises to look: how many knocks become one job. ``events.models.engine.Watch`` says what a promise is."""

from time import monotonic
from typing import Any

from django.db import connection

# How long a drain goes on looking after the last change it found, and how long a queued job may take to start
# before somebody else is allowed to queue another.
PROMISE_SECONDS = 1.0

# How long whoever wakes a worker waits for a lock, here and on the queue, before leaving it to the broker's own look:
# mostly this is an editor's request.
QUEUE_PATIENCE = "250ms"
FOR_EVER = "0"
# What the statement of whoever wakes a worker is given.
FIRST_PROMISE: dict[str, str | float] = {"patience": QUEUE_PATIENCE, "seconds": PROMISE_SECONDS}

# No honest promise reaches so far: the database's clock was set back since, and nobody is going to look.
LONGEST_PROMISE = "interval '1 minute'"

# For how many seconds more somebody is awake.
AWAKE_SECONDS = f"""
SELECT COALESCE(date_part('epoch', (SELECT awake_until FROM events_watch
    WHERE awake_until > clock_timestamp() AND awake_until < clock_timestamp() + {LONGEST_PROMISE}
) - clock_timestamp()), 0)
"""

# A promise lost in a crash of the database costs one look; waiting for the disk would cost every knock. Both end with
# the transaction. A statement of its own: one statement locks its tables before any part of it is run.
QUICKLY = "SELECT set_config('synchronous_commit', 'off', true), set_config('lock_timeout', %(patience)s, true);"

# The row keeps the promise, the sequence shows it to the triggers, who read that without a query.
_PROMISED = """
WITH promised AS (
    INSERT INTO events_watch (id, awake_until) VALUES (1, clock_timestamp() + make_interval(secs => %(seconds)s))
    ON CONFLICT (id) DO UPDATE SET awake_until = excluded.awake_until
    WHERE events_watch.awake_until < {} OR events_watch.awake_until > clock_timestamp() + {}
    RETURNING awake_until
)"""
SHOW = "setval('events_awake', (date_part('epoch', awake_until) * 1000)::bigint)"
PROMISED_UNLESS_AWAKE = f"{QUICKLY} {_PROMISED.format('clock_timestamp()', LONGEST_PROMISE)}"
PROMISE_UNLESS_AWAKE = f"{PROMISED_UNLESS_AWAKE} SELECT {SHOW} FROM promised"
PROMISE = f"{QUICKLY} {_PROMISED.format('excluded.awake_until', LONGEST_PROMISE)} SELECT {SHOW} FROM promised"


class Memory:
    """What this process has seen of the promise, so that not every save has to ask again while it lasts."""

    def __init__(self) -> None:
        self._until = 0.0

    def keep(self, asked: float, seconds: float) -> bool:
        """Whether somebody is awake, by an answer to a question that was ``asked`` at this ``monotonic()`` time."""
        self._until = asked + seconds
        return seconds > 0

    def says_awake(self) -> bool:
        """Whether the promise seen last still lasts. If not, there may be another."""
        return monotonic() < self._until

    def forget(self) -> None:
        self._until = 0.0


seen = Memory()


def forget_promise(**kwargs: Any) -> None:
    """Ask again. Connected to Django's ``connection_created``: it may be another database, or one that was restored."""
    seen.forget()


def is_awake() -> bool:
    """Whether somebody has promised to look after this moment. Takes no lock, and mostly asks nobody."""
    if seen.says_awake():
        return True
    asked = monotonic()
    with connection.cursor() as cursor:
        cursor.execute(AWAKE_SECONDS)
        return seen.keep(asked, cursor.fetchone()[0])


def promise_unless_awake() -> bool:
    """Promise to look, unless somebody else has promised already; True when it is up to the caller now."""
    with connection.cursor() as cursor:
        cursor.execute(PROMISE_UNLESS_AWAKE, FIRST_PROMISE)
        cursor.nextset()
        return cursor.fetchone() is not None


def promise(seconds: float = PROMISE_SECONDS) -> None:
    """Promise to look once more after ``seconds`` from now, whoever else has promised what."""
    with connection.cursor() as cursor:
        cursor.execute(PROMISE, {"patience": FOR_EVER, "seconds": seconds})


class Vigil:
    """The promise that a drain has to keep: first that of whoever woke it, then its own."""

    def __init__(self) -> None:
        self._until = monotonic() + PROMISE_SECONDS

    def extend(self) -> None:
        """Promise anew, at most a few times a second: every editor's statement reads that row."""
        if self._until - monotonic() < PROMISE_SECONDS / 2:
            promise()
            # Taken after the database's clock was read, so that the promise is over there when it is over here.
            self._until = monotonic() + PROMISE_SECONDS

    def is_over(self, look_began: float) -> bool:
        """Whether a look that began at this ``monotonic()`` time came after all that was promised."""
        return look_began > self._until
