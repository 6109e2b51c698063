"""A portfolio as it is when the list is opened: scored, with a history, some waiting, some dead letters."""

from typing import Any

import psycopg

from tests.benchmarks.engine.table import TAKE_RIGHTS

# The engine stored the first score of each customer who has one. These are some before it, that were never computed.
FORMER_SCORES = 3
HISTORY = """
INSERT INTO customers_scorerecord (customer_id, cause, score, version, scored_by_id, scored_at)
SELECT customer_id, 'edited', least(1, greatest(0, churn_risk_score * (0.7 + 0.1 * former + 0.2 * random()))), 1,
    scored_by_id, scored_at
FROM customers_customer, generate_series(1, %s) AS former ORDER BY former, customer_id
"""
# A handful of each other state, spread over all ids.
GIVE_UP = """
INSERT INTO customers_scoringfailure
    (customer_id, version, release_id, attempts, error, first_failed_at, last_failed_at)
SELECT customer_id, version, (SELECT max(id) FROM customers_modelrelease), 5, 'The model has no answer.', now(), now()
FROM customers_customer WHERE customer_id %% %s = 1
"""
EDIT_ONE = "UPDATE customers_customer SET tenure = (tenure + 1) %% 10 WHERE customer_id = %s"
EDITED = 50  # one by one, as staff do
UNSCORE_SOME = """
UPDATE customers_customer SET churn_risk_score = NULL, value_at_risk = NULL, scored_version = NULL, scored_by_id = NULL,
    scored_at = NULL, reason_codes = NULL, contributions = NULL, stale_since = now()
WHERE customer_id %% %s = 2
"""
CONTACT = """
INSERT INTO customers_contact (customer_id, "by", channel, outcome)
SELECT customer_id, 'ann', 'phone', 'not reached' FROM customers_customer
WHERE value_at_risk IS NOT NULL ORDER BY value_at_risk DESC NULLS LAST, customer_id DESC LIMIT %s
"""
NEXT_TO_CALL = """
SELECT customer_id FROM customers_customer AS customer
WHERE value_at_risk IS NOT NULL AND NOT EXISTS (
    SELECT FROM customers_contact AS contact WHERE contact.customer_id = customer.customer_id
) AND NOT EXISTS (
    SELECT FROM customers_worklistitem AS item WHERE item.customer_id = customer.customer_id AND done_at IS NULL
)
ORDER BY value_at_risk DESC NULLS LAST, customer_id DESC LIMIT 1
"""
SPREAD = 10_000  # one in so many
TABLES = ("customers_customer", "customers_scorerecord", "customers_stalemark", "customers_scoringfailure")


def score_all() -> None:
    """By the model itself, as a worker does it: bands and reasons are as common as they are."""
    from customers.scoring import scorer
    from events.queue import dispatch

    while scorer.rescore_batch().claimed or dispatch.anything_to_do():
        pass


def lived_in(url: str, rows: int) -> None:
    """Give all customers a past and some a present, and have PostgreSQL's statistics know the tables."""
    one_in = min(SPREAD, max(3, rows // 20))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(HISTORY, [FORMER_SCORES])
        with connection.transaction():
            connection.execute(TAKE_RIGHTS)
            connection.execute(UNSCORE_SOME, [one_in])
        [first] = connection.execute("SELECT min(customer_id) FROM customers_customer").fetchone()
        for number in range(EDITED):
            connection.execute(EDIT_ONE, [first + number * (rows // EDITED)])
        connection.execute(GIVE_UP, [one_in])
        for table in TABLES:
            connection.execute(f"VACUUM (ANALYZE) {table}")
        connection.execute("CHECKPOINT")  # what was written is not to be paid for by the first pages


def contact_the_first(connection: psycopg.Connection[Any], customers: int) -> None:
    """As if so many of the highest value at risk had been contacted."""
    connection.execute(CONTACT, [customers])
    connection.execute("ANALYZE customers_contact")


def a_customer() -> Any:
    """A customer to search for, from the middle of the ids, with a surname that others have too."""
    from customers.models import Customer

    middle = Customer.objects.order_by("pk")[Customer.objects.count() // 2]
    return middle
