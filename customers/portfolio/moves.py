"""Whose risk has risen within a week: found by a job of the workers, and held against the present scores on each page.

A stored score says nothing of the one that stood a week ago, and to look that up for each of a million customers takes
seconds. So a job searches at a measured pace and keeps what it finds; of that a page shows only customers whose risk is
still so much higher. See docs/decisions/0039-list-and-recent-moves.md.
"""

import logging
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, When
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from customers import turns
from customers.conditions import Condition
from customers.models import MoveSearch, RecentMove, ScoreRecord
from customers.portfolio.movers import BEGAN, GO_BACK, PREPARE
from customers.presentation.bands import BANDS, least_of_band
from customers.sql import time_limit

log = logging.getLogger("vigilpay.customers")

without_moves = Condition(log)

DAYS = 7
# Ten points as they are written, with one decimal.
LEAST_RISE = 0.0995
RISEN_POINTS = 10

# Between two searches there are so many times what one takes.
REST_TIMES = 20
PATIENCE = "40s"
# One search at a time is enough.
TURN = "moves"

# What has not changed is not written again.
SEARCH = f"""
WITH {BEGAN}, found AS MATERIALIZED (
    SELECT customer_id, began.score AS score_before, began.scored_at + make_interval(days => %(days)s) AS until
    FROM began JOIN customers_customer USING (customer_id)
    WHERE churn_risk_score - began.score >= %(least_rise)s
        OR (began.score < %(critical)s AND churn_risk_score >= %(critical)s)
), gone AS (
    DELETE FROM customers_recentmove AS move WHERE NOT EXISTS (
        SELECT FROM found WHERE found.customer_id = move.customer_id)
)
INSERT INTO customers_recentmove AS move (customer_id, score_before, until)
SELECT customer_id, score_before, until FROM found
EXCEPT SELECT customer_id, score_before, until FROM customers_recentmove
ON CONFLICT (customer_id) DO UPDATE SET score_before = excluded.score_before, until = excluded.until
"""

COUNT_NEWLY_CRITICAL = """
SELECT count(*) FROM customers_recentmove AS move JOIN customers_customer AS customer USING (customer_id)
WHERE move.until > statement_timestamp() AND move.score_before < %(critical)s
    AND customer.churn_risk_score >= %(critical)s
"""


def window_days() -> int:
    """How many days count: a week, or as many as history is kept for."""
    return min(DAYS, settings.HISTORY_DAYS)


def score_before() -> Subquery:
    """For a query of few customers: the score that each began the last days with, as ``BEGAN`` has it.

    None for a customer who was not scored within these days: the present score stood all the time.
    """
    records = ScoreRecord.objects.filter(
        customer_id=OuterRef("pk"), scored_at__gt=timezone.now() - timedelta(days=window_days())
    )
    first_of_all = Case(When(previous_score=None, then=-F("id")))
    oldest = records.order_by(first_of_all.asc(nulls_last=True), "id")
    return Subquery(oldest.values(before=Coalesce("previous_score", "score"))[:1])


def has_risen() -> Q:
    """A condition on customers: risen by ten points or more within the last days, of those that the search found."""
    return Q(Exists(_of_customer(score_before__lte=OuterRef("churn_risk_score") - LEAST_RISE)))


def is_newly_critical() -> Q:
    """A condition on customers: critical now, and not when the last days began, of those that the search found.

    A customer whose first score was critical did not become so.
    """
    critical = least_of_band(BANDS[-1])
    return Q(Exists(_of_customer(score_before__lt=critical)), churn_risk_score__gte=critical)


def _of_customer(**conditions: Any) -> Any:
    return RecentMove.objects.filter(customer_id=OuterRef("pk"), until__gt=Now(), **conditions)


def newly_critical(cursor: CursorWrapper) -> int:
    """How many customers are critical now and were not when the last days began: as the filter of the list.

    A look-up for each customer that the search has found: for what is counted in the background.
    """
    cursor.execute(COUNT_NEWLY_CRITICAL, {"critical": least_of_band(BANDS[-1])})
    return int(cursor.fetchone()[0])


def searched_at() -> datetime | None:
    """As of when these are known; None before the first search."""
    return MoveSearch.objects.values_list("searched_at", flat=True).first()


def search_if_due() -> bool:
    """The job: search, unless that is too soon after a search that took long. Whether it searched."""
    last = MoveSearch.objects.first()
    rest = timedelta(seconds=REST_TIMES * last.took_seconds) if last else timedelta()
    if last is not None and timezone.now() - last.searched_at < rest:
        return False
    try:
        is_ours = search()
    except OperationalError as error:
        without_moves.begin("Risen risks are not searched for: %s", error, state="slow")
        put_off(last)
        return False
    without_moves.end("Risen risks are searched for again.")
    return is_ours


def put_off(last: MoveSearch | None) -> None:
    """Try again when twice the time since the last search has passed: each vain attempt keeps a worker busy."""
    if last is not None:
        passed = (timezone.now() - last.searched_at).total_seconds()
        MoveSearch.objects.update(took_seconds=2 * passed / REST_TIMES)


def search() -> bool:
    """Search the history of the last days, and keep what was found; False when another process does that just now.

    Raises ``OperationalError`` when it takes longer than its ``PATIENCE``: what was found before stays.
    """
    began = monotonic()
    turns.add(TURN)
    with transaction.atomic(), connection.cursor() as cursor:
        if not turns.take_if_free(TURN):
            return False
        at, critical = timezone.now(), least_of_band(BANDS[-1])
        with time_limit(cursor, PATIENCE):
            cursor.execute(PREPARE)
            cursor.execute(SEARCH, {"at": at, "days": window_days(), "least_rise": LEAST_RISE, "critical": critical})
            cursor.execute(GO_BACK)
        found = {"searched_at": at, "took_seconds": monotonic() - began}
        MoveSearch.objects.update_or_create(pk=1, defaults=found)
    return True
