"""Other parties at the test database: connections that know nothing of Django, and threads that do."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from functools import partial
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
    with _at_work(*parts) as running:
        try:
            return [part.result(timeout=seconds) for part in running]
        finally:
            wait(running, timeout=seconds)  # whatever one of them ended with, the others do not meet the next test


@contextmanager
def meanwhile(part: Callable[[], Any]) -> Iterator[None]:
    """Run the part in a thread of its own beside the block; its error, if any, ends the block.

    Where the block fails, the part is not waited for: it may wait for a lock that is held around this block."""
    with _at_work(part) as (running,):
        yield
        running.result(timeout=60)


@contextmanager
def going_on(part: Callable[[threading.Event], Any]) -> Iterator[None]:
    """The same for a part that goes on until the event that it is given is set: that is when the block is left."""
    is_over = threading.Event()
    with meanwhile(partial(part, is_over)):
        try:
            yield
        finally:
            is_over.set()


@contextmanager
def _at_work(*parts: Callable[[], Any]) -> Iterator[list[Future[Any]]]:
    pool = ThreadPoolExecutor(len(parts))
    try:
        yield [pool.submit(_then_close, part) for part in parts]
    finally:
        pool.shutdown(wait=False)


@contextmanager
def program(*command: str, **options: Any) -> Iterator["subprocess.Popen[Any]"]:
    """Killed when the block is left, however that is: ``Popen`` alone would wait for its end, for ever perhaps."""
    with subprocess.Popen(command, **options) as it:
        try:
            yield it
        finally:
            it.kill()


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
