"""Thousands of stale customers are held by an open transaction, for as long as it likes."""

import random
from threading import Event, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import psycopg

from tests.chaos.faults.registry import BrokenPromiseError, End, fault
from tests.chaos.people import full_row
from tests.chaos.ways import COPY
from tests.factories import random_fields

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

FIRST, HELD, OTHERS = 700_000_000, 5_000, 5_000
LOADED = f"customer_id BETWEEN {FIRST} AND {FIRST + HELD + OTHERS - 1}"
THESE = f"customer_id BETWEEN {FIRST} AND {FIRST + HELD - 1}"
EDIT = "UPDATE customers_customer SET balance = balance + 1 WHERE {}"
EDIT_OTHERS = EDIT.format(f"{LOADED} AND NOT ({THESE})")
HOLD = f"SELECT FROM customers_customer WHERE {THESE} ORDER BY customer_id FOR UPDATE"
HELD_STALE = f"SELECT count(*) FROM customers_customer WHERE {THESE} AND stale_since IS NOT NULL"
OTHERS_LAG = f"""
SELECT COALESCE(date_part('epoch', clock_timestamp() - min(stale_since)), 0)
FROM customers_customer WHERE stale_since IS NOT NULL AND NOT ({THESE})
"""
# Of an edit that nothing holds; an editor's own open transaction, some 0.6 s, and a busy machine included.
NORMAL_LAG_SECONDS = 5.0
WATCH_SECONDS = 10.0
POLL_SECONDS = 0.1
PASSED_OVER_SECONDS = 1.0  # after which the worker knows of them


@fault("5,000 stale customers held by an open transaction", quiet=True, short=False)
def hold_stale_customers(storm: "Storm", pick: random.Random) -> End:
    """All other customers are at normal lag meanwhile: single edits, and a large one."""
    load(storm, pick)
    holder = storm.server.connect()
    storm.later.callback(holder.close)
    with storm.service.halted():
        storm.sql(EDIT.format(THESE))
        holder.execute("BEGIN")
        holder.execute(HOLD)
    storm.service.complete()
    sleep(PASSED_OVER_SECONDS)
    storm.sql(EDIT_OTHERS)
    watch = LagWatch(storm)

    def end() -> None:
        worst = watch.finish()
        held = holder.execute(HELD_STALE).fetchone()[0]
        holder.execute("COMMIT")
        if held < HELD:
            raise BrokenPromiseError(f"only {held} of the customers who are held are stale")
        if worst > NORMAL_LAG_SECONDS:
            raise BrokenPromiseError(f"another customer has waited {worst:.1f} s for a score")

    return end


def load(storm: "Storm", pick: random.Random) -> None:
    """Customers whom no editor edits, scored."""
    storm.later.callback(storm.sql, f"DELETE FROM customers_customer WHERE {LOADED}")
    with storm.server.connect() as connection, connection.cursor().copy(COPY) as copying:
        for customer in range(FIRST, FIRST + HELD + OTHERS):
            copying.write_row(full_row(customer, random_fields(pick)))
    storm.await_current()


class LagWatch:
    """The longest that a customer who is not held has waited for a score, as seen again and again."""

    def __init__(self, storm: "Storm") -> None:
        self._storm = storm
        self._worst = 0.0
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._storm.server.connect() as connection:
            while not self._stop.wait(POLL_SECONDS):
                self._worst = max(self._worst, self._lag(connection))

    def _lag(self, connection: psycopg.Connection[Any]) -> float:
        return float(connection.execute(OTHERS_LAG).fetchone()[0])

    def finish(self) -> float:
        """After the last edit, until no other customer waits any longer, or one has waited for far too long."""
        ends = monotonic() + WATCH_SECONDS
        with self._storm.server.connect() as connection:
            while self._lag(connection) > 0 and monotonic() < ends:
                sleep(POLL_SECONDS)
        self._stop.set()
        self._thread.join()
        return self._worst
