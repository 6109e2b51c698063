"""Customers who come by logical replication from the bank's own system: its changes count as edits."""

import random
from itertools import count
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import psycopg

from customers.ml_service.schema import FEATURES
from tests.chaos.faults.registry import BrokenPromiseError, End, fault, repeat
from tests.chaos.people import a_change, full_row
from tests.chaos.ways import COPY, DELETE, INSERT, update_statement
from tests.factories import random_fields

if TYPE_CHECKING:
    from tests.chaos.neighbours import Neighbour
    from tests.chaos.storm import Storm

FIRST, CUSTOMERS, LAST = 800_000_000, 300, 899_999_999
THESE = f"customer_id BETWEEN {FIRST} AND {LAST}"
NAME = "core"
LOGICAL = "ALTER SYSTEM SET wal_level = logical"
# As the bank's own system might have it: it knows nothing of scores.
TABLE = (
    """
    CREATE TABLE customers_customer (
        customer_id bigint PRIMARY KEY, surname varchar(100) NOT NULL, credit_score smallint, geography varchar(10),
        gender varchar(6), age smallint, tenure smallint, balance numeric(15, 2), num_of_products smallint,
        has_cr_card boolean, is_active_member boolean
    )
    """,
    f"CREATE PUBLICATION {NAME} FOR TABLE customers_customer",
)
SUBSCRIBE = f"CREATE SUBSCRIPTION {NAME} CONNECTION '{{}}' PUBLICATION {NAME} WITH (copy_data = false)"
UNSUBSCRIBE = f"DROP SUBSCRIPTION IF EXISTS {NAME}"
ROWS = f"SELECT customer_id, {', '.join(FEATURES)} FROM customers_customer WHERE {THESE} ORDER BY customer_id"
EVERY_SECONDS = 0.005
CATCH_UP_SECONDS = 30.0
POLL_SECONDS = 0.05


@fault("customers by logical replication", quiet=True, short=False)
def subscribe(storm: "Storm", pick: random.Random) -> End:
    rows = [full_row(FIRST + i, random_fields(pick)) for i in range(CUSTOMERS)]
    source = publisher(storm, rows)
    storm.later.callback(storm.sql, f"DELETE FROM customers_customer WHERE {THESE}")
    with storm.server.connect() as connection:
        copy(connection, rows)
    storm.await_current()
    storm.later.callback(storm.sql, UNSUBSCRIBE)
    storm.sql(SUBSCRIBE.format(source.conninfo()))
    session = source.connect()
    storm.later.callback(session.close)
    edits = Source(session, pick)
    stop = repeat(edits.edit, EVERY_SECONDS)

    def end() -> None:
        stop()
        await_the_same(storm, session)

    return end


def publisher(storm: "Storm", rows: list[tuple[Any, ...]]) -> "Neighbour":
    """The bank's own system, a server of its own."""
    source = storm.server.neighbour(NAME)
    source.start()
    source.sql(LOGICAL)
    source.stop("fast")
    source.start()
    storm.later.callback(source.stop, "fast")
    source.sql(*TABLE)
    with source.connect() as connection:
        copy(connection, rows)
    return source


def copy(connection: psycopg.Connection[Any], rows: list[tuple[Any, ...]]) -> None:
    with connection.cursor().copy(COPY) as copying:
        for row in rows:
            copying.write_row(row)


class Source:
    """Edits customers where they come from."""

    def __init__(self, session: psycopg.Connection[Any], pick: random.Random) -> None:
        self._session, self._pick = session, pick
        self._there = list(range(FIRST, FIRST + CUSTOMERS))
        self._new_ids = count(FIRST + CUSTOMERS)

    def edit(self) -> None:
        draw = self._pick.random()
        if draw < 0.1:
            self._there.append(next(self._new_ids))
            self._session.execute(INSERT, full_row(self._there[-1], random_fields(self._pick)))
        elif draw < 0.15:
            self._session.execute(DELETE, [self._there.pop(self._pick.randrange(len(self._there)))])
        else:
            self._session.execute(update_statement(self._pick.choice(self._there), a_change(self._pick)))


def await_the_same(storm: "Storm", source: psycopg.Connection[Any]) -> None:
    """Until every customer is here as there."""
    ends = monotonic() + CATCH_UP_SECONDS
    there = source.execute(ROWS).fetchall()
    with storm.server.connect() as connection:
        while (here := connection.execute(ROWS).fetchall()) != there:
            if monotonic() > ends:
                raise BrokenPromiseError(
                    f"{len(set(there) ^ set(here))} replicated customers are not as at their source"
                )
            sleep(POLL_SECONDS)
