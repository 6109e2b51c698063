"""How fresh the scores are, as numbers: one function that view and command share. It reads, and changes nothing."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from math import inf
from threading import Lock
from time import monotonic
from typing import Any, TypeVar, cast

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django_q.conf import Conf

from customers.models import ScoreRecord
from customers.monitoring import drift
from customers.presentation.numbers import format_count
from customers.scoring.marks import INTACT
from customers.scoring.pause import current, describe_pause
from customers.scoring.staleness import OF_THIS_VERSION, STALE
from events.freshness.status import Facts, Status, judge

# The lag of the scores of this time is told, in these steps.
LAG_WINDOW_SECONDS = 15 * 60
LAG_STEPS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
LAG_CAUSES = [ScoreRecord.Cause.CREATED, ScoreRecord.Cause.RETURNED, ScoreRecord.Cause.EDITED]
# Whoever asks rather hears nothing than keeps a connection busy; 1,000,000 customers take less than a tenth of it.
PATIENCE = "5s"
# A worker that was heard of within this time counts as running.
HEARD_SECONDS = 10.0
# So old may the view's answer be, or so many times as old as its making took: monitors shall not keep PostgreSQL busy
# with counting customers.
RECENT_SECONDS = 1.0
RECENT_TIMES = 10

T = TypeVar("T")

LIMIT_TIME = "SELECT set_config('statement_timeout', %s, true)"

ACTIVE = "SELECT id, sha256, released_at FROM customers_modelrelease ORDER BY id DESC LIMIT 1"

# One pass over all customers. Whom a former model has scored is stale since the next release. Who failed in the
# version he has waits for a retry or for a person, not for a worker; that sub-query is hashed, and stale rows alone
# are looked up in it.
COVERAGE = f"""
WITH portfolio AS MATERIALIZED (
    SELECT scored_by_id, stale, failing, count(*) AS customers, min(stale_since) AS edited_since
    FROM (
        SELECT scored_by_id, stale_since, COALESCE({STALE}, false) AS stale,
            {STALE} AND (customer_id, arrived_at, version) IN (
                SELECT customer_id, arrived_at, version FROM customers_scoringfailure
                WHERE release_id = %(release)s) AS failing,
            stale_since IS NOT NULL AS edited
        FROM customers_customer AS customer
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

# At work: claimed, and a worker that still runs was there by then. What a worker that is gone had claimed waits for its
# time, when it is given out again. A claim locks a job for the time of a retry.
QUEUE = f"""
WITH job AS (
    SELECT lock > clock_timestamp() AND EXISTS (
        SELECT FROM events_worker
        WHERE looked_at > clock_timestamp() - make_interval(secs => %(heard)s)
          AND started_at <= lock - make_interval(secs => %(retry)s)) AS at_work
    FROM django_q_ormq WHERE key = %(key)s
)
SELECT count(*) FILTER (WHERE NOT at_work), count(*) FILTER (WHERE at_work),
    (SELECT count(*) FROM customers_stalemark WHERE kind < {INTACT})
FROM job
"""

FAILURES = f"""
SELECT count(*) FILTER (WHERE failure.retry_at IS NULL), count(*) FILTER (WHERE failure.retry_at IS NOT NULL)
FROM customers_scoringfailure AS failure JOIN customers_customer AS customer ON {OF_THIS_VERSION}
WHERE failure.release_id = %s
"""

LAST_DRAIN = """
SELECT ended_at, date_part('epoch', clock_timestamp() - ended_at), date_part('epoch', ended_at - started_at),
    stored, worker
FROM events_drain ORDER BY id DESC LIMIT 1
"""

REJECTED = """
SELECT COALESCE(sum(rejected), 0)::bigint FROM events_drain WHERE ended_at > statement_timestamp() - interval '1 day'
"""

GIVEN_UP = """
SELECT count(*) FROM events_delivery
WHERE state = 'given up' AND ended_at > statement_timestamp() - make_interval(days => %s)
"""
# Later nobody is told of them any more; they stay in the admin.
GIVEN_UP_DAYS = 7

# Pushers look every second.
WORKERS = """
SELECT count(*) FROM events_worker WHERE looked_at > statement_timestamp() - make_interval(secs => %s)
"""


@dataclass(frozen=True)
class Release:
    """The active one."""

    id: int
    sha256: str
    released_at: datetime


@dataclass(frozen=True)
class Coverage:
    """The customers whom one release has scored; without a release: whom nobody has scored yet."""

    release: int | None
    customers: int
    stale_count: int


@dataclass(frozen=True)
class LagStep:
    """How many scores came within so many seconds; without a bound: all."""

    within_seconds: float | None
    scores: int


@dataclass(frozen=True)
class Lag:
    """From edit to stored score, of the scores of the last minutes that answer an edit or a new customer.

    Counted from the statement that edited: an editor who commits late is counted in.
    """

    window_seconds: int
    scores: int
    p50_seconds: float | None
    p99_seconds: float | None
    histogram: list[LagStep]


@dataclass(frozen=True)
class Queue:
    """Jobs that wait for a worker, and jobs that a running one has taken."""

    waiting_jobs: int
    claimed_jobs: int


@dataclass(frozen=True)
class LastDrain:
    ended_at: datetime
    ended_seconds_ago: float
    took_seconds: float
    stored: int
    worker: str


@dataclass(frozen=True)
class Paused:
    since: datetime
    by: str
    reason: str

    def __str__(self) -> str:
        return describe_pause(self.since, self.by, self.reason)


@dataclass(frozen=True)
class LastDriftCheck:
    """What the last look for drift found of the active release: the column that had moved most."""

    checked_at: datetime
    column: str
    psi: float
    verdict: drift.DriftVerdict


@dataclass(frozen=True)
class Freshness:
    """What there is to know of the age of the scores, at one moment."""

    status: Status
    status_reason: str
    warnings: list[str]  # what a person should look into though the scores are as fresh as the status says
    customers: int
    stale_count: int
    oldest_stale_age_seconds: float | None
    held_back_count: int  # of the stale ones: failed, and waiting for a retry or for a person
    coverage: list[Coverage]
    active_release: Release | None
    paused: Paused | None
    lag: Lag
    marks_waiting: int
    workers_running: int
    queue: Queue
    dead_letters: int
    retries_waiting: int
    last_drain: LastDrain | None
    results_rejected_last_day: int
    last_drift_check: LastDriftCheck | None
    messages_given_up: int  # on alerts, in the last days

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Portfolio:
    """The customers, by the release that scored them."""

    coverage: list[Coverage]
    held_back_count: int
    oldest_stale_age_seconds: float | None
    oldest_waiting_age_seconds: float | None  # of those whom nothing but a worker can help

    @property
    def customers(self) -> int:
        return sum(group.customers for group in self.coverage)

    @property
    def stale_count(self) -> int:
        return sum(group.stale_count for group in self.coverage)


def freshness() -> Freshness:
    """Look at everything now; exact. Raises ``OperationalError`` when the database can't tell within some seconds."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LIMIT_TIME, [PATIENCE])
        found = measured(cursor)
        cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
    return found


def recent_freshness() -> Freshness:
    """As ``freshness``, some seconds old at most: however many ask this process, the customers are counted once."""
    return _recent.get()


class Recent:
    """The last answer, and a new one when that is too old; whoever asks meanwhile waits for it, and shares it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._good_until = -inf
        self._answer: Freshness | None = None

    def get(self) -> Freshness:
        with self._lock:
            if self._answer is None or monotonic() > self._good_until:
                began = monotonic()
                self._answer = freshness()
                self._good_until = monotonic() + max(RECENT_SECONDS, RECENT_TIMES * (monotonic() - began))
            return self._answer

    def forget(self) -> None:
        self._answer = None


_recent = Recent()


def freshness_of(portfolio: Portfolio, lag: Lag) -> Freshness:
    """As ``freshness``, with customers and lag that were counted before; all else is of now, and takes no time."""
    with connection.cursor() as cursor:
        return with_counted(cursor, active_release(cursor), portfolio, lag)


def measured(cursor: CursorWrapper) -> Freshness:
    active = active_release(cursor)
    return with_counted(cursor, active, portfolio_of(cursor, active), lag_of(cursor))


def with_counted(cursor: CursorWrapper, active: Release | None, portfolio: Portfolio, lag: Lag) -> Freshness:
    dead_letters, retries = one(cursor, FAILURES, [active.id if active else None])
    waiting_jobs, claimed_jobs, marks = one(
        cursor, QUEUE, {"key": Conf.CLUSTER_NAME, "retry": Conf.RETRY, "heard": HEARD_SECONDS}
    )
    (rejected,) = one(cursor, REJECTED)
    (workers,) = one(cursor, WORKERS, [HEARD_SECONDS])
    (given_up,) = one(cursor, GIVEN_UP, [GIVEN_UP_DAYS])
    last_drain = first_as(LastDrain, cursor, LAST_DRAIN)
    paused = current_pause()
    checked, drift_warning = last_drift_check(active)
    status, reason = judge(
        Facts(
            pause=str(paused) if paused else "",
            has_model=active is not None,
            workers_running=workers,
            waiting_count=portfolio.stale_count - portfolio.held_back_count,
            oldest_waiting_age_seconds=portfolio.oldest_waiting_age_seconds,
            last_drain_seconds_ago=last_drain.ended_seconds_ago if last_drain else None,
            dead_letters=dead_letters,
            retries_waiting=retries,
        ),
        behind_seconds=settings.BEHIND_SECONDS,
    )
    return Freshness(
        status=status,
        status_reason=reason,
        warnings=[warning for warning in (drift_warning, warning_of(given_up)) if warning],
        customers=portfolio.customers,
        stale_count=portfolio.stale_count,
        held_back_count=portfolio.held_back_count,
        oldest_stale_age_seconds=portfolio.oldest_stale_age_seconds,
        coverage=portfolio.coverage,
        active_release=active,
        paused=paused,
        lag=lag,
        marks_waiting=marks,
        workers_running=workers,
        queue=Queue(waiting_jobs, claimed_jobs),
        dead_letters=dead_letters,
        retries_waiting=retries,
        last_drain=last_drain,
        results_rejected_last_day=rejected,
        last_drift_check=checked,
        messages_given_up=given_up,
    )


def warning_of(given_up: int) -> str:
    """What a person should know of messages that nobody took."""
    if not given_up:
        return ""
    messages = format_count(given_up, "message on alerts was", "messages on alerts were")
    return f"{messages} given up in the last {GIVEN_UP_DAYS} days: see Deliveries in the admin."


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
    )


def lag_of(cursor: CursorWrapper) -> Lag:
    scores, quantiles, *counts = one(cursor, LAG, {"window": LAG_WINDOW_SECONDS, "causes": LAG_CAUSES})
    p50, p99 = quantiles or (None, None)
    steps = [*zip(LAG_STEPS_SECONDS, counts, strict=True), (None, scores)]
    return Lag(LAG_WINDOW_SECONDS, scores, p50, p99, [LagStep(*step) for step in steps])


def current_pause() -> Paused | None:
    found = current()
    return Paused(found.since, found.by, found.reason) if found else None


def last_drift_check(active: Release | None) -> tuple[LastDriftCheck | None, str]:
    """The last check of the active release, and what it warns of by the thresholds as they are now."""
    kept = drift.last_check(active.id) if active else None
    if kept is None:
        return None, ""
    found = drift.drift_of(kept)
    largest_shift = found.largest
    shown = LastDriftCheck(kept.checked_at, largest_shift.column, largest_shift.psi, largest_shift.verdict)
    return shown, found.warning


def one(cursor: CursorWrapper, sql: str, values: Any = None) -> tuple[Any, ...]:
    """The only row of an answer."""
    cursor.execute(sql, values)
    return cast("tuple[Any, ...]", cursor.fetchone())


def first_as(kind: Callable[..., T], cursor: CursorWrapper, sql: str) -> T | None:
    """The first row of an answer, made into what its columns are."""
    cursor.execute(sql)
    row = cursor.fetchone()
    return kind(*row) if row else None


def largest(ages: Iterable[float | None]) -> float | None:
    return max((age for age in ages if age is not None), default=None)
