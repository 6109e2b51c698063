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
# One customer in five was contacted within four weeks, one in a thousand by this user, one in two thousand is to be
# followed up.
CONTACTS = """
INSERT INTO customers_contact (customer_id, "by", channel, outcome, at, follow_up_on)
SELECT customer_id, CASE WHEN customer_id %% 1000 = 0 THEN %s ELSE 'agent' || customer_id %% 39 END, 'phone',
    'not reached', now() - make_interval(days => (customer_id / 5 %% 28)::integer),
    CASE WHEN customer_id %% 2000 = 5 THEN current_date END
FROM customers_customer WHERE customer_id %% 5 = 0 AND value_at_risk IS NOT NULL
"""
# As on a busy day: the risk of one customer in five hundred has risen by a fifth, or from below it.
MOVES = """
INSERT INTO customers_recentmove (customer_id, score_before, until)
SELECT customer_id, greatest(0, churn_risk_score - 0.2), now() + interval '6 days'
FROM customers_customer WHERE customer_id %% 500 = 3 AND churn_risk_score >= 0.1
"""
SEARCHED = "INSERT INTO customers_movesearch (id, searched_at, took_seconds) VALUES (1, now(), 20)"
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


def worked_on(url: str, user: str) -> None:
    """Contacts as of some weeks, some of them this user's, and what the search for risen risks may have found."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(CONTACTS, [user])
        connection.execute("VACUUM (ANALYZE) customers_contact")
        connection.execute(MOVES.replace("%%", "%"))
        connection.execute(SEARCHED)
        connection.execute("VACUUM (ANALYZE) customers_recentmove")
        connection.execute("CHECKPOINT")


def a_customer() -> Any:
    """A customer to search for, from the middle of the ids, with a surname that others have too."""
    from customers.models import Customer

    middle = Customer.objects.order_by("pk")[Customer.objects.count() // 2]
    return middle
