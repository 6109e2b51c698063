"""Other parties at the test database: connections that know nothing of Django, and threads that do."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg
from django.db import connection, connections

from customers import turns
from customers.sql import fetch_row


def outsider(*, autocommit: bool = True, options: str = "") -> "closing[psycopg.Connection[Any]]":
    """A connection as psql has one: no signals, no lease cache, only what PostgreSQL itself does."""
    params = {
        name: value
        for name, value in connection.get_connection_params().items()
        if name in ("host", "port", "user", "password", "dbname")
    }
    return closing(psycopg.connect(**params, autocommit=autocommit, options=options))


@contextmanager
def turn_held(name: str) -> Iterator[None]:
    """Another session has this turn, in a transaction of its own."""
    with outsider() as maker, outsider(autocommit=False) as holder:
        maker.execute(turns.ADD, [name])
        holder.execute(turns.WAIT, [name])
        yield
        holder.rollback()


def together(*parts: Callable[[], Any], seconds: float = 60) -> list[Any]:
    """Run the parts at the same time, each with Django connections of its own; their results, or the first error."""
    with ThreadPoolExecutor(len(parts)) as pool:
        return [future.result(timeout=seconds) for future in [pool.submit(_then_close, part) for part in parts]]


@contextmanager
def meanwhile(part: Callable[[], Any]) -> Iterator[None]:
    """Run the part in a thread of its own beside the block; its error, if any, ends the block."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_then_close, part)
        yield
        running.result(timeout=60)


def _then_close(part: Callable[[], Any]) -> Any:
    with ExitStack() as stack:
        stack.callback(connections.close_all)
        return part()


def await_that(condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """Wait until the condition holds and return what it gave; fail by name when it never does."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.01)
    return found


# Other processes of the tests have databases of their own on this server, and its transactions have one count.
ENDED_ELSEWHERE = """
SELECT NOT EXISTS (
    SELECT FROM pg_stat_activity WHERE datname <> current_database() AND backend_xid IS NOT NULL
        AND backend_xid::text::bigint <= (SELECT COALESCE(max(transaction_id), 0) FROM customers_scorechange))
"""


def await_other_databases() -> None:
    """Wait until no transaction of another database holds up the feed of changed scores."""
    await_that(lambda: fetch_row(ENDED_ELSEWHERE)[0], "older transactions of other databases end", 120)


def waiting_for_locks() -> int:
    """How many sessions of the test database wait for a lock at this moment."""
    with outsider() as looker:
        found = looker.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(found.fetchone()[0])
