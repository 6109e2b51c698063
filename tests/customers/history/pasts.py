"""Things that happen to customers, and what the table looked like in between: the past, kept independently."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from hypothesis import strategies as st

from customers.history.as_of import PastCustomer, read_as_of
from customers.ml_service.schema import FEATURES
from customers.models import HistoryExtent
from customers.scoring import scorer
from tests.events.alerts.alerting import another_release
from tests.factories import A_CUSTOMER, no_trigger

COLUMNS = ", ".join(A_CUSTOMER)
PLACES = ", ".join(f"%({name})s" for name in A_CUSTOMER)
INSERT = (
    f"INSERT INTO customers_customer (customer_id, {COLUMNS}) SELECT i, {PLACES} FROM unnest(%(ids)s::bigint[]) AS i"
)
TABLE = f"""
SELECT customer_id, {", ".join(FEATURES)}, version, objected_at IS NOT NULL, churn_risk_score, scored_version,
    scored_by_id, scored_at
FROM customers_customer ORDER BY customer_id
"""

IDS = range(1, 5)
# One customer to another id, or back; none where that id has a customer.
ONE = "(%(ids)s::bigint[])[1]"
RENAME = f"""
UPDATE customers_customer SET customer_id = {ONE} + {ONE} + 100 - customer_id
WHERE customer_id IN ({ONE}, {ONE} + 100)
  AND 1 = (SELECT count(*) FROM customers_customer WHERE customer_id IN ({ONE}, {ONE} + 100))
"""
# As a bank's application sends them; often those that happen often.
STATEMENTS = {
    "add": f"{INSERT} ON CONFLICT DO NOTHING",
    "edit": "UPDATE customers_customer SET age = %(age)s WHERE customer_id = ANY (%(ids)s)",
    "object": "UPDATE customers_customer SET objected_at = now() WHERE customer_id = ANY (%(ids)s)",
    "withdraw": "UPDATE customers_customer SET objected_at = NULL WHERE customer_id = ANY (%(ids)s)",
    "delete": "DELETE FROM customers_customer WHERE customer_id = ANY (%(ids)s)",
    "rename": RENAME,
    "reload": """CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS SELECT * FROM customers_customer;
        DELETE FROM customers_customer;
        INSERT INTO customers_customer SELECT * FROM fresh;
        DROP TABLE fresh""",
    "truncate": "TRUNCATE customers_customer",
}
WAYS = (*STATEMENTS, "edit", "score", "score", "score", "release")
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(WAYS),
        st.lists(st.sampled_from(IDS), min_size=1, max_size=3, unique=True),
        st.integers(18, 92),
    ),
    min_size=4,
    max_size=14,
)

Event = tuple[str, list[int], int]


def sql(statement: str, values: Any = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def happen(event: Event) -> None:
    way, ids, age = event
    if way == "score":
        while scorer.rescore_batch().claimed:
            pass
    elif way == "release":
        another_release()
    else:
        sql(STATEMENTS[way], {**A_CUSTOMER, "ids": ids, "age": age} if "%(" in STATEMENTS[way] else None)


def table() -> list[PastCustomer]:
    """As it is now, read without the history."""
    end = 1 + len(FEATURES)
    return [PastCustomer(row[0], tuple(row[1:end]), *row[end:]) for row in sql(TABLE)]


def moment() -> datetime:
    ((now,),) = sql("SELECT clock_timestamp()")
    return now


def as_of(at: datetime) -> list[PastCustomer]:
    return [customer for page in read_as_of(at) for customer in page]


def live_through(events: Sequence[Event]) -> list[tuple[datetime, list[PastCustomer]]]:
    """Have them happen; a moment after each, with the table of that moment."""
    happen(("add", list(IDS), 40))
    kept = []
    for event in events:
        happen(event)
        kept.append((moment(), table()))
    return kept


def remember_from(at: datetime) -> None:
    HistoryExtent.objects.update_or_create(pk=1, defaults={"complete_since": at})


@contextmanager
def a_past_of_its_own() -> Iterator[None]:
    """What happens in the block never happened. The history is complete from its beginning on."""
    with transaction.atomic():
        remember_from(moment())
        yield
        transaction.set_rollback(True)


TIMES = {
    "customers_customer": ("arrived_at", "stale_since", "edited_at", "scored_at"),
    "customers_scorerecord": ("arrived_at", "stale_since", "edited_at", "scored_at"),
    "customers_unscoredversion": ("arrived_at", "edited_at"),
    "customers_departure": ("left_at",),
    "customers_historyextent": ("complete_since",),
}


def let_all_be_earlier(by: timedelta) -> None:
    """As if everything had happened that much earlier."""
    with no_trigger():
        for name, columns in TIMES.items():
            sql(f"UPDATE {name} SET {', '.join(f'{it} = {it} - %(by)s' for it in columns)}", {"by": by})
        sql(SHIFT_ARRIVALS, {"by": by})


SHIFT_ARRIVALS = """
UPDATE customers_departure SET arrived_ats = (
    SELECT array_agg(it - %(by)s ORDER BY place) FROM unnest(arrived_ats) WITH ORDINALITY AS arrival (it, place))
"""
