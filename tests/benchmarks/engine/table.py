"""The customer table put into a known state before each round, so that rounds differ in one thing only."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

TAKE_RIGHTS = "SELECT set_config('vigilpay.scorer', 'on', true)"
MAKE_CURRENT = """
UPDATE customers_customer
SET stale_since = NULL, scored_version = version, churn_risk_score = COALESCE(churn_risk_score, 0.5),
    scored_by_id = (SELECT max(id) FROM customers_modelrelease), scored_at = clock_timestamp()
WHERE stale_since IS NOT NULL OR scored_by_id IS DISTINCT FROM (SELECT max(id) FROM customers_modelrelease)
"""
# Hints of how stale rows are found, where they are kept in a table of their own.
MARKS = "customers_stalemark"
# But for the one that says that none was lost, of the file that the table has since it was rewritten.
FORGET_MARKS = """
DELETE FROM customers_stalemark;
INSERT INTO customers_stalemark (kind, ids) VALUES (8, ARRAY[pg_relation_filenode('customers_customer')::bigint])
"""
HOLD_LEASE = """
WITH leased AS (
    INSERT INTO events_watch (id, awake_until) VALUES (1, clock_timestamp() + make_interval(secs => %(seconds)s))
    ON CONFLICT (id) DO UPDATE SET awake_until = excluded.awake_until RETURNING awake_until
)
SELECT setval('events_awake', (date_part('epoch', awake_until) * 1000)::bigint) FROM leased
"""
OPTIONS = "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = 'customers_customer'::regclass"
SHRINK = """
DELETE FROM customers_customer
WHERE customer_id > (SELECT customer_id FROM customers_customer ORDER BY customer_id OFFSET %s - 1 LIMIT 1)
"""
EDIT_ALL = "UPDATE customers_customer SET tenure = (tenure + 1) % 10"


class Table:
    """``customers_customer`` as its owner sees it, on a connection of its own."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        self.connection.close()

    def triggers(self, *, enabled: bool) -> None:
        from events.triggers.definitions import TRIGGERS
        from events.triggers.sql import CUSTOMERS, ENABLE

        for trigger in TRIGGERS:
            if trigger.table == CUSTOMERS:
                word = ENABLE[trigger.fires] if enabled else "DISABLE"
                self.connection.execute(f"ALTER TABLE {CUSTOMERS} {word} TRIGGER {trigger.name}")

    def make_current(self) -> None:
        """Every score current, nothing left to find: the path that an edit of a scored customer takes."""
        self.triggers(enabled=True)
        with self.connection.transaction():
            self.connection.execute(TAKE_RIGHTS)
            self.connection.execute(MAKE_CURRENT)
        if self._has_marks():
            self.connection.execute(FORGET_MARKS)

    def make_stale(self) -> int:
        """One behavioural edit of all customers; the number of rows."""
        self.triggers(enabled=True)
        return self.connection.execute(EDIT_ALL).rowcount

    def shrink(self, customers: int) -> None:
        """Keep that many customers, on a table as good as new."""
        self.connection.execute(SHRINK, [customers])
        self.make_current()
        self.settle(rewrite=True)

    def settle(self, *, rewrite: bool = False) -> None:
        """Pay now what the last round left to pay later. ``rewrite`` makes the table as good as new."""
        self.connection.execute(f"VACUUM {'(FULL, ANALYZE)' if rewrite else '(ANALYZE)'} customers_customer")
        self.connection.execute("VACUUM (ANALYZE) customers_scorerecord")
        if self._has_marks():
            self.connection.execute(f"VACUUM (ANALYZE) {MARKS}")
        self.connection.execute("CHECKPOINT")

    @contextmanager
    def filled_to(self, percent: int) -> Iterator[None]:
        """From the next rewrite on, pages are filled that far; afterwards as the migrations say."""
        own = self.value(OPTIONS)
        self.connection.execute(f"ALTER TABLE customers_customer SET (fillfactor = {percent})")
        yield
        self.connection.execute("ALTER TABLE customers_customer RESET (fillfactor)")
        if own:
            self.connection.execute(f"ALTER TABLE customers_customer SET ({own})")

    def hold_lease(self, seconds: float) -> None:
        """Hold the lease, as a worker does that has just had something to do; 0 ends it."""
        self.connection.execute(HOLD_LEASE, {"seconds": seconds})

    def value(self, query: str, *arguments: Any) -> Any:
        return self.connection.execute(query, arguments).fetchone()[0]

    def _has_marks(self) -> bool:
        return self.value("SELECT to_regclass(%s)", MARKS) is not None


def customer_table(url: str) -> "closing[Table]":
    return closing(Table(url))
