"""How many customers wait for a worker at this moment, for a price that does not grow with the portfolio.

Read from the marks that edits leave, as a drain finds its work. Marks are hints: the rows that they name decide.
"""

from datetime import datetime

from django.db.backends.utils import CursorWrapper

from customers.scoring.marks import IS_INTACT, SWEEP
from customers.scoring.staleness import HELD_BACK, STALE
from events.freshness.status import Waiting

# So many are counted one by one, which takes some milliseconds.
MOST_WAITING = 1000

# The marks in the order in which they were written, more or less: the oldest of them come first.
WAITING = f"""
WITH named AS MATERIALIZED (
    SELECT unnest(ids) AS customer_id FROM customers_stalemark WHERE kind < {SWEEP} LIMIT {MOST_WAITING + 1}
), waiting AS (
    SELECT stale_since, scored_by_id FROM customers_customer AS customer
    WHERE customer_id = ANY (ARRAY(SELECT DISTINCT customer_id FROM named))
      AND objected_at IS NULL AND {STALE} AND ({HELD_BACK}) IS NOT TRUE
), release AS (
    SELECT min(released_at) AS at FROM customers_modelrelease WHERE id > (
        SELECT min(scored_by_id) FROM waiting WHERE stale_since IS NULL)
)
SELECT (SELECT count(*) FROM waiting),
    COALESCE(date_part('epoch', clock_timestamp() - LEAST(
        (SELECT min(stale_since) FROM waiting), (SELECT at FROM release))), 0),
    (SELECT count(*) > {MOST_WAITING} FROM named),
    NOT {IS_INTACT} OR EXISTS (
        SELECT FROM customers_stalemark WHERE kind = {SWEEP} AND (due_at > %(counted_at)s OR %(some_waited)s))
"""


def waiting_now(cursor: CursorWrapper, release: int | None, counted_at: datetime, *, some_waited: bool) -> Waiting:
    """Customers whom a worker is about to score, by the marks that no drain has taken yet.

    What a check of all customers may find is of interest where it became due after they were counted, or where some
    waited at that count: they may be those whom it has still to find.
    """
    cursor.execute(WAITING, {"release": release or 0, "counted_at": counted_at, "some_waited": some_waited})
    customers, oldest, is_more, is_checking = cursor.fetchone()
    return Waiting(min(customers, MOST_WAITING), max(0.0, oldest), is_more=is_more, is_checking=is_checking)
