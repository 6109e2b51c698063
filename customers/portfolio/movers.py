"""Whose risk has moved most within some days: from the score they began with to the present one."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.db.backends.utils import CursorWrapper

MOST = 10
WINDOWS_DAYS = (1, 7)

# A pass over the newest history, which may hold all customers after a release. Without nested loops, which the planner
# takes when it thinks that time shorter than it was; by one process, for several would each sort the same history.
PREPARE = """
SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true),
    set_config('enable_nestloop', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)
"""
GO_BACK = """
SET LOCAL work_mem TO DEFAULT;
SET LOCAL jit TO DEFAULT;
SET LOCAL enable_nestloop TO DEFAULT;
SET LOCAL max_parallel_workers_per_gather TO DEFAULT
"""

# The oldest record of the time says in previous_score what the customer began it with, also of those who left the table
# and came back. Who came meanwhile began with the first score; who is not there any more has gone.
BEGAN = """began AS (
    SELECT DISTINCT ON (customer_id) customer_id, COALESCE(previous_score, score) AS score, scored_at
    FROM customers_scorerecord
    WHERE scored_at > %(at)s - make_interval(days => %(days)s)
    ORDER BY customer_id, previous_score IS NULL DESC, CASE WHEN previous_score IS NULL THEN -id ELSE id END
)"""
MOVES = f"""
WITH {BEGAN}, moved AS MATERIALIZED (
    SELECT customer_id, began.score AS before, churn_risk_score AS after, churn_risk_score - began.score AS by
    FROM began JOIN customers_customer USING (customer_id)
    WHERE churn_risk_score <> began.score
), risen AS (
    SELECT * FROM moved WHERE by > 0 ORDER BY by DESC, customer_id LIMIT %(most)s
), fallen AS (
    SELECT * FROM moved WHERE by < 0 ORDER BY by, customer_id LIMIT %(most)s
)
SELECT (SELECT count(*) FROM moved WHERE by > 0), (SELECT count(*) FROM moved WHERE by < 0),
    (SELECT COALESCE(json_agg(json_build_array(customer_id, before, after) ORDER BY by DESC, customer_id), '[]')
     FROM risen),
    (SELECT COALESCE(json_agg(json_build_array(customer_id, before, after) ORDER BY by, customer_id), '[]')
     FROM fallen)
"""


@dataclass(frozen=True)
class Mover:
    """The score of one customer, before and after."""

    customer_id: int
    before: float
    after: float


@dataclass(frozen=True)
class Movers:
    """How many scores rose and fell within so many days, and by whom most; the largest moves come first."""

    days: int
    risen: int
    fallen: int
    risers: list[Mover]
    fallers: list[Mover]

    def without(self, ids: Collection[int]) -> "Movers":
        """The same with these customers unnamed."""
        risers, fallers = ([it for it in side if it.customer_id not in ids] for side in (self.risers, self.fallers))
        return replace(self, risers=risers, fallers=fallers)


def movers(cursor: CursorWrapper, at: datetime) -> list[Movers]:
    """Of the day and of the week before this moment, as far as history is kept."""
    cursor.execute(PREPARE)
    found = []
    # Of a week that is pruned after three days, the three are shown.
    for days in sorted({min(days, settings.HISTORY_DAYS) for days in WINDOWS_DAYS}):
        cursor.execute(MOVES, {"at": at, "days": days, "most": MOST})
        risen, fallen, risers, fallers = cursor.fetchone()
        found.append(Movers(days, risen, fallen, [Mover(*it) for it in risers], [Mover(*it) for it in fallers]))
    cursor.execute(GO_BACK)
    return found
