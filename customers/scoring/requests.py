"""What staff do with all customers of a list at once: one statement for as many as there are."""

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from customers.models import Customer, Exclusion, ModelRelease, is_excluded, is_stale
from customers.sql import execute, fetch_rows

# Each request is what a drain takes at once.
REQUEST = """
INSERT INTO customers_rescorerequest (customer_ids)
SELECT array_agg(customer_id ORDER BY customer_id) FROM (
    SELECT customer_id, (row_number() OVER (ORDER BY customer_id) - 1) / %s AS piece
    FROM ({chosen}) AS customer (customer_id)
) AS numbered
GROUP BY piece ORDER BY piece RETURNING cardinality(customer_ids)
"""

# An exclusion by staff: as one by the model it counts until the customer is requeued or edited, or another model comes.
# A customer who came back while this was running has a life of which it knows nothing.
GIVE_UP = f"""
INSERT INTO customers_scoringfailure AS failure
    (customer_id, arrived_at, version, release_id, reason, attempts, error, first_failed_at, last_failed_at, retry_at)
SELECT customer_id, arrived_at, version, %s, '{Exclusion.PERSON}', 0, %s, clock_timestamp(), clock_timestamp(), NULL
FROM ({{chosen}}) AS customer (customer_id, arrived_at, version)
ON CONFLICT (customer_id) DO UPDATE SET
    arrived_at = excluded.arrived_at, version = excluded.version, release_id = excluded.release_id,
    reason = excluded.reason, word = excluded.word, attempts = excluded.attempts, error = excluded.error,
    last_failed_at = excluded.last_failed_at, retry_at = NULL
WHERE failure.arrived_at <= excluded.arrived_at
"""


def request_rescoring(customers: QuerySet[Customer]) -> int:
    """Have the workers score these again, stale or not, after all who are stale; how many there are to score.

    Those excluded from scoring are left out; what is tried again in any case is left to that. No customer becomes stale
    by it: a current score stays current until it is replaced.
    """
    excluded = is_excluded(ModelRelease.objects.active_id())
    chosen, parameters = compiled(customers.filter(~excluded), "customer_id")
    return sum(size for (size,) in fetch_rows(REQUEST.format(chosen=chosen), [settings.DRAIN_BATCH_ROWS, *parameters]))


def give_up(customers: QuerySet[Customer], reason: str) -> int:
    """Have the workers leave alone those who wait for a score, in the version they have; how many there were.

    A current score has nothing to give up, nor is there anything before the first model.
    """
    active = ModelRelease.objects.active()
    if active is None:
        return 0
    chosen, parameters = compiled(customers.filter(is_stale(active.pk)), "customer_id", "arrived_at", "version")
    return execute(GIVE_UP.format(chosen=chosen), [active.pk, reason[:500], *parameters])


def compiled(customers: QuerySet[Customer], *columns: str) -> tuple[str, tuple[object, ...]]:
    """The query of these customers and its parameters; of no customers, too, which Django would not ask for."""
    compiler = customers.order_by().values(*columns).query.get_compiler(connection=connection, elide_empty=False)
    sql, parameters = compiler.as_sql()
    return sql, tuple(parameters)
