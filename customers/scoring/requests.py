"""What staff do with all customers of a list at once: one statement for as many as there are."""

import re
from typing import Any

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from customers.models import Customer, ModelRelease, ScoringFailure
from customers.scoring.staleness import OF_THIS_VERSION, STALE

# Of the customers of a list what the statements below look at, under the name by which ``staleness`` knows them.
LOOKED_AT = ("customer_id", "arrived_at", "version", "stale_since", "scored_by_id")
PLACEHOLDER = re.compile(r"%%|%s")

# Of those not set aside. No clock in it, as in NOT_FAILED: that would be asked customer by customer.
NOT_SET_ASIDE = f"""NOT EXISTS (
    SELECT FROM customers_scoringfailure AS failure
    WHERE {OF_THIS_VERSION}
      AND failure.release_id = %(release)s AND failure.retry_at IS NULL)"""

# Each request is what a drain takes at once.
REQUEST = f"""
INSERT INTO customers_rescorerequest (customer_ids)
SELECT array_agg(customer_id ORDER BY customer_id) FROM (
    SELECT customer_id, (row_number() OVER (ORDER BY customer_id) - 1) / %(rows)s AS piece
    FROM ({{chosen}}) AS customer ({", ".join(LOOKED_AT)}) WHERE {NOT_SET_ASIDE}
) AS numbered
GROUP BY piece ORDER BY piece RETURNING cardinality(customer_ids)
"""

# A dead letter that a person has written: as every other it counts until the customer is requeued or edited, or
# another model comes. Who came back while this was running has a life of which it knows nothing.
SET_ASIDE = f"""
INSERT INTO customers_scoringfailure AS failure
    (customer_id, arrived_at, version, release_id, attempts, error, first_failed_at, last_failed_at, retry_at)
SELECT customer_id, arrived_at, version, %(release)s, 0, %(reason)s, clock_timestamp(), clock_timestamp(), NULL
FROM ({{chosen}}) AS customer ({", ".join(LOOKED_AT)}) WHERE {STALE} AND %(release)s::bigint IS NOT NULL
ON CONFLICT (customer_id) DO UPDATE SET
    arrived_at = excluded.arrived_at, version = excluded.version, release_id = excluded.release_id,
    attempts = excluded.attempts, error = excluded.error, last_failed_at = excluded.last_failed_at, retry_at = NULL
WHERE failure.arrived_at <= excluded.arrived_at
"""


def request_rescoring(customers: QuerySet[Customer]) -> int:
    """Have the workers score these again, stale or not, after everybody who is stale; how many there are to score.

    Those set aside are left out; who is tried again in any case is left to that. Nobody becomes stale by it: a current
    score stays current until it is replaced.
    """
    with connection.cursor() as cursor:
        if not run(cursor, REQUEST, customers, rows=settings.DRAIN_BATCH_ROWS):
            return 0
        return sum(size for (size,) in cursor.fetchall())


def set_aside(customers: QuerySet[Customer], reason: str) -> int:
    """Have the workers leave alone those who wait for a score, in the version they have; how many there were.

    Of a customer whose score is current there is nothing to set aside, nor where there is no model yet.
    """
    with connection.cursor() as cursor:
        return cursor.rowcount if run(cursor, SET_ASIDE, customers, reason=reason[:500]) else 0


def requeue(customers: QuerySet[Customer]) -> int:
    """Try those who have failed, or were set aside, again at once; how many there were. A drain marks who is due."""
    failed = ScoringFailure.objects.of_present_life().filter(customer_id__in=customers.order_by().values("pk"))
    return failed.update(attempts=0, retry_at=Now())


def run(cursor: Any, statement: str, customers: QuerySet[Customer], **values: Any) -> bool:
    """Run the statement with the query of these customers in the place of ``{chosen}``; False if that finds nobody."""
    release = ModelRelease.objects.active()
    try:
        sql, parameters = customers.order_by().values_list(*LOOKED_AT).query.sql_with_params()
    except EmptyResultSet:
        return False
    names = iter(f"chosen_{number}" for number in range(len(parameters)))
    chosen = PLACEHOLDER.sub(lambda found: "%%" if found[0] == "%%" else f"%({next(names)})s", sql)
    named = {f"chosen_{number}": value for number, value in enumerate(parameters)}
    cursor.execute(statement.format(chosen=chosen), {**named, **values, "release": release.pk if release else None})
    return True
