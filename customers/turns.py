"""Work that only one session may do at a time: the row of that name in ``events_turn`` says whose turn it is.

PostgreSQL has locks for it, which any role that may connect can take: what waits for them would wait for a stranger.
These rows only VigilPay's own roles may lock or write.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from customers.sql import execute

ADD = "INSERT INTO events_turn (name) VALUES (%s) ON CONFLICT DO NOTHING"
WAIT = "SELECT FROM events_turn WHERE name = %s FOR UPDATE"
TRY = f"{WAIT} SKIP LOCKED"

# For longer than a transaction: while the session lasts that has written itself down. Its process may be given out
# again, so the time counts at which it began; where this role is not shown that of another, it is taken for the same.
HOLD = """
INSERT INTO events_turn AS turn (name, process, began_at)
SELECT %s, pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
ON CONFLICT (name) DO UPDATE SET process = excluded.process, began_at = excluded.began_at
WHERE NOT EXISTS (
    SELECT FROM pg_stat_activity AS holder
    WHERE holder.pid = turn.process AND holder.pid <> excluded.process
        AND COALESCE(holder.backend_start = turn.began_at, true)
)
"""
LEAVE = "UPDATE events_turn SET process = NULL WHERE name = %s AND process = pg_backend_pid()"


def add(name: str) -> None:
    """Add the row if it is missing. For a transaction that goes by one snapshot it must be there before."""
    execute(ADD, [name])


def wait_for(name: str, using: str = DEFAULT_DB_ALIAS) -> None:
    """Have the turn until this transaction ends. Waits for the session that has it."""
    with connections[using].cursor() as cursor:
        cursor.execute(ADD, [name])
        cursor.execute(WAIT, [name])


def take_if_free(name: str) -> bool:
    """Have the turn until this transaction ends, or return False at once: another session has it."""
    return execute(TRY, [name]) > 0


def take(name: str) -> bool:
    """Have the turn until ``leave``, or until this session ends; False when another session has it."""
    return execute(HOLD, [name]) > 0


def leave(name: str) -> None:
    """Let the next one have it. A lost connection has left it already."""
    with suppress(DatabaseError):
        execute(LEAVE, [name])


@contextmanager
def taken(name: str) -> Iterator[bool]:
    """Whether this session has the turn, for the block."""
    is_ours = take(name)
    try:
        yield is_ours
    finally:
        if is_ours:
            leave(name)
