"""How fresh the scores are, as numbers: one function that view and command share. It reads, and changes nothing."""

from collections.abc import Callable, Iterable
from datetime import datetime
from math import inf
from threading import Lock
from time import monotonic
from typing import TypeVar

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django_q.conf import Conf

from customers.models import Exclusion, ScoreRecord
from customers.monitoring import drift
from customers.portfolio.distribution import count_objected
from customers.presentation.numbers import format_count
from customers.scoring.marks import INTACT
from customers.scoring.pause import current, describe_pause
from customers.scoring.staleness import OF_THIS_VERSION, STALE
from customers.sql import time_limit
from events.freshness.answer import (
    Coverage,
    Freshness,
    Lag,
    LagStep,
    LastDrain,
    LastDriftCheck,
    Paused,
    Portfolio,
    Queue,
    Release,
    UnknownWord,
)
from events.freshness.status import Waiting, describe_unknown_words, judge
from events.freshness.waiting import waiting_now
from events.freshness.workers import RUNNING, RUNNING_VALUES

# The lag of the scores of this time is given in these steps.
LAG_WINDOW_SECONDS = 15 * 60
LAG_STEPS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_causes = ScoreRecord.Cause
LAG_CAUSES = [_causes.CREATED, _causes.RETURNED, _causes.RESUMED, _causes.EDITED]
# No answer is better than a busy connection; 1,000,000 customers take less than a tenth of it.
PATIENCE = "5s"
# Later the status does not mention messages that were given up; they stay in the admin.
GIVEN_UP_DAYS = 7
# So old may the view's answer be, or so many times as old as its making took: monitors shall not keep PostgreSQL busy
# with counting customers.
RECENT_SECONDS = 1.0
RECENT_TIMES = 10

T = TypeVar("T")


ACTIVE = "SELECT id, sha256, released_at FROM customers_modelrelease ORDER BY id DESC LIMIT 1"

# One pass over all customers. Those whom a former model has scored are stale since the next release. Those who failed
# in their present version wait for a retry, a person or another model, not for a worker: joined, for a million may wait
# for a model that knows their country. Those who have objected to being scored are counted apart.
COVERAGE = f"""
WITH portfolio AS MATERIALIZED (
    SELECT scored_by_id, stale, failing, count(*) AS customers, min(stale_since) AS edited_since
    FROM (
        SELECT customer.scored_by_id, customer.stale_since, COALESCE({STALE}, false) AS stale,
            {STALE} AND failure.customer_id IS NOT NULL AS failing,
            customer.stale_since IS NOT NULL AS edited
        FROM customers_customer AS customer
        LEFT JOIN customers_scoringfailure AS failure ON {OF_THIS_VERSION} AND failure.release_id = %(release)s
        WHERE customer.objected_at IS NULL
    ) AS customer
    GROUP BY scored_by_id, stale, edited, failing
), aged AS (
    SELECT *, date_part('epoch', clock_timestamp() - COALESCE(
        edited_since, (SELECT min(released_at) FROM customers_modelrelease WHERE id > scored_by_id))) AS age
    FROM portfolio
)
SELECT scored_by_id, sum(customers)::bigint,
    COALESCE(sum(customers) FILTER (WHERE stale), 0)::bigint,
    COALESCE(sum(customers) FILTER (WHERE failing), 0)::bigint,
    max(age) FILTER (WHERE stale),
    max(age) FILTER (WHERE stale AND failing IS NOT TRUE)
FROM aged GROUP BY scored_by_id ORDER BY scored_by_id NULLS FIRST
"""

# By statement_timestamp(): a clock that moves within the statement would keep PostgreSQL from using the index.
LAG = f"""
WITH score AS MATERIALIZED (
    SELECT date_part('epoch', scored_at - stale_since) AS lag FROM customers_scorerecord
    WHERE scored_at > statement_timestamp() - make_interval(secs => %(window)s)
      AND cause = ANY (%(causes)s) AND stale_since IS NOT NULL
)
SELECT count(*), percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY lag),
    {", ".join(f"count(*) FILTER (WHERE lag <= {step})" for step in LAG_STEPS_SECONDS)}
FROM score
"""

MOST_WORDS = 10
TOTAL = "COALESCE(sum(customers), 0)::bigint"

# At work is a job that is claimed, while a worker that still runs was there by then. What a worker that is gone had
# claimed waits for its time, when it is given out again. A claim locks a job for the time of a retry.
ENGINE = f"""
WITH running AS (
    SELECT started_at FROM events_worker WHERE {RUNNING}
), job AS (
    SELECT lock > clock_timestamp() AND EXISTS (
        SELECT FROM running WHERE started_at <= lock - make_interval(secs => %(retry)s)) AS at_work
    FROM django_q_ormq WHERE key = %(key)s
), failed AS MATERIALIZED (
    SELECT failure.reason, failure.word, failure.retry_at IS NULL AS is_dead, count(*) AS customers
    FROM customers_scoringfailure AS failure JOIN customers_customer AS customer ON {OF_THIS_VERSION}
    WHERE failure.release_id = %(release)s
    GROUP BY failure.reason, failure.word, failure.retry_at IS NULL
), unknown AS (
    SELECT word, customers FROM failed WHERE reason = '{Exclusion.WORD}' ORDER BY customers DESC, word
    LIMIT {MOST_WORDS}
)
SELECT (SELECT {TOTAL} FROM failed WHERE is_dead AND reason <> '{Exclusion.WORD}'),
    (SELECT {TOTAL} FROM failed WHERE is_dead AND reason = '{Exclusion.PERSON}'),
    (SELECT {TOTAL} FROM failed WHERE NOT is_dead),
    (SELECT {TOTAL} FROM failed WHERE reason = '{Exclusion.WORD}'),
    ARRAY(SELECT word FROM unknown), ARRAY(SELECT customers FROM unknown),
    (SELECT count(*) FROM job WHERE NOT at_work),
    (SELECT count(*) FROM job WHERE at_work),
    (SELECT count(*) FROM customers_stalemark WHERE kind < {INTACT}),
    (SELECT count(*) FROM running),
    (SELECT COALESCE(sum(rejected), 0)::bigint FROM events_drain
     WHERE ended_at > statement_timestamp() - interval '1 day'),
    (SELECT count(*) FROM events_delivery
     WHERE state = 'given up' AND ended_at > statement_timestamp() - make_interval(days => {GIVEN_UP_DAYS}))
"""

LAST_DRAIN = """
SELECT ended_at, date_part('epoch', clock_timestamp() - ended_at), date_part('epoch', ended_at - started_at),
    stored, worker
FROM events_drain ORDER BY id DESC LIMIT 1
"""
DRAINED_SINCE = "SELECT EXISTS (SELECT FROM events_drain WHERE ended_at > %s)"


def freshness() -> Freshness:
    """Measure everything now; exact. Raises ``OperationalError`` when the database does not answer in some seconds."""
    with transaction.atomic(), connection.cursor() as cursor, time_limit(cursor, PATIENCE):
        active = active_release(cursor)
        portfolio = portfolio_of(cursor, active)
        return with_counted(cursor, active, portfolio, lag_of(cursor), portfolio.waiting)


class Recent:
    """The last answer, and a new one when that is too old; a request meanwhile waits for it, and shares it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._good_until = -inf
        self._answer: Freshness | None = None

    def get(self) -> Freshness:
        """As ``freshness``, some seconds old at most: however many ask this process, customers are counted once."""
        with self._lock:
            if self._answer is None or monotonic() > self._good_until:
                began = monotonic()
                self._answer = freshness()
                self._good_until = monotonic() + max(RECENT_SECONDS, RECENT_TIMES * (monotonic() - began))
            return self._answer


_recent = Recent()
recent_freshness = _recent.get


def freshness_of(portfolio: Portfolio, lag: Lag, counted_at: datetime) -> Freshness:
    """As ``freshness``, with customers and lag that were counted before; all else is of now, and takes no time.

    Whether customers wait is of now, too: the status never says current while marks say otherwise.
    """
    with connection.cursor() as cursor:
        active = active_release(cursor)
        some_waited = portfolio.waiting.customers > 0
        waiting = waiting_now(cursor, active.id if active else None, counted_at, some_waited=some_waited)
        if not waiting.customers and some_waited and not drained_since(cursor, counted_at):
            waiting = portfolio.waiting  # found by the count alone: no mark says so, and no drain has helped since
        return with_counted(cursor, active, portfolio, lag, waiting)


def drained_since(cursor: CursorWrapper, at: datetime) -> bool:
    cursor.execute(DRAINED_SINCE, [at])
    return bool(cursor.fetchone()[0])


def with_counted(
    cursor: CursorWrapper, active: Release | None, portfolio: Portfolio, lag: Lag, waiting: Waiting
) -> Freshness:
    cursor.execute(
        ENGINE,
        {
            "release": active.id if active else None,
            "key": Conf.CLUSTER_NAME,
            "retry": Conf.RETRY,
            **RUNNING_VALUES,
        },
    )
    dead_letters, by_staff, retries, of_words, words, waiting_for, *of_engine = cursor.fetchone()
    waiting_jobs, claimed_jobs, marks, workers, rejected, given_up = of_engine
    unknown_words = [UnknownWord(*found) for found in zip(words, waiting_for, strict=True)]
    last_drain = first_as(LastDrain, cursor, LAST_DRAIN)
    pause = current()
    drift_check, warnings = last_drift_check(active)
    warnings += describe_unknown_words(zip(words, waiting_for, strict=True), of_words)
    if given_up:
        messages = format_count(given_up, "alert message was", "alert messages were")
        warnings.append(f"{messages} not sent in the last {GIVEN_UP_DAYS} days; see Messages in the admin.")
    status, reason = judge(
        pause=describe_pause(pause.since, pause.by, pause.reason) if pause else "",
        has_model=active is not None,
        workers_running=workers,
        waiting=waiting,
        last_drain_seconds_ago=last_drain.ended_seconds_ago if last_drain else None,
        dead_letters=dead_letters,
        excluded_by_staff=by_staff,
        of_unknown_words=of_words,
        retries_waiting=retries,
        behind_seconds=settings.BEHIND_SECONDS,
    )
    return Freshness(
        status=status,
        status_reason=reason,
        warnings=warnings,
        customers=portfolio.customer_count,
        stale_count=portfolio.stale_count,
        held_back_count=portfolio.held_back_count,
        oldest_stale_age_seconds=portfolio.oldest_stale_age_seconds,
        objected=portfolio.objected,
        coverage=portfolio.coverage,
        active_release=active,
        paused=Paused(pause.since, pause.by, pause.reason) if pause else None,
        lag=lag,
        marks_waiting=marks,
        workers_running=workers,
        queue=Queue(waiting_jobs, claimed_jobs),
        dead_letters=dead_letters,
        unknown_word_count=of_words,
        unknown_words=unknown_words,
        excluded_by_staff=by_staff,
        retries_waiting=retries,
        last_drain=last_drain,
        results_rejected_last_day=rejected,
        last_drift_check=drift_check,
        messages_given_up=given_up,
    )


def active_release(cursor: CursorWrapper) -> Release | None:
    return first_as(Release, cursor, ACTIVE)


def portfolio_of(cursor: CursorWrapper, active: Release | None) -> Portfolio:
    cursor.execute(COVERAGE, {"release": active.id if active else 0})
    groups = cursor.fetchall()
    return Portfolio(
        coverage=[Coverage(*group[:3]) for group in groups],
        held_back_count=sum(group[3] for group in groups),
        oldest_stale_age_seconds=largest(group[4] for group in groups),
        oldest_waiting_age_seconds=largest(group[5] for group in groups),
        objected=count_objected(cursor),
    )


def lag_of(cursor: CursorWrapper) -> Lag:
    cursor.execute(LAG, {"window": LAG_WINDOW_SECONDS, "causes": LAG_CAUSES})
    scores, quantiles, *counts = cursor.fetchone()
    p50, p99 = quantiles or (None, None)
    steps = [*zip(LAG_STEPS_SECONDS, counts, strict=True), (None, scores)]
    return Lag(LAG_WINDOW_SECONDS, scores, p50, p99, [LagStep(*step) for step in steps])


def last_drift_check(active: Release | None) -> tuple[LastDriftCheck | None, list[str]]:
    """The last check of the active release, and what it warns of by the thresholds as they are now."""
    check = drift.last_check(active.id) if active else None
    if check is None:
        return None, []
    found = drift.drift_of(check)
    most = found.largest
    warnings = [found.warning] if found.warning else []
    return LastDriftCheck(check.checked_at, most.column, most.psi, most.verdict), warnings


def first_as(kind: Callable[..., T], cursor: CursorWrapper, sql: str) -> T | None:
    """The first row of an answer, made into what its columns are."""
    cursor.execute(sql)
    row = cursor.fetchone()
    return kind(*row) if row else None


def largest(ages: Iterable[float | None]) -> float | None:
    return max((age for age in ages if age is not None), default=None)
