"""What is known of the age of the scores, as view, command and overview show it. The fields are the JSON's keys."""

from dataclasses import dataclass
from datetime import datetime

from customers.monitoring import drift
from events.freshness.status import Status, Waiting


@dataclass(frozen=True)
class Release:
    """The active one."""

    id: int
    sha256: str
    released_at: datetime


@dataclass(frozen=True)
class Coverage:
    """The customers whom one release has scored; without a release: those who were never scored."""

    release: int | None
    customers: int
    stale_count: int


@dataclass(frozen=True)
class Portfolio:
    """The customers, by the release that scored them."""

    coverage: list[Coverage]
    held_back_count: int
    oldest_stale_age_seconds: float | None
    oldest_waiting_age_seconds: float | None  # of those whom nothing but a worker can help
    objected: int = 0  # to being scored; in no group. Figures stored by an older version have none

    @property
    def customer_count(self) -> int:
        return sum(group.customers for group in self.coverage) + self.objected

    @property
    def stale_count(self) -> int:
        return sum(group.stale_count for group in self.coverage)

    @property
    def waiting(self) -> Waiting:
        """Those of the stale ones who need only a worker."""
        return Waiting(self.stale_count - self.held_back_count, self.oldest_waiting_age_seconds or 0.0)


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


@dataclass(frozen=True)
class LastDriftCheck:
    """What the last check for drift found of the active release: the column that had moved most."""

    checked_at: datetime
    column: str
    psi: float
    verdict: drift.DriftVerdict


@dataclass(frozen=True)
class UnknownWord:
    """A country or gender that the active model does not know, such as ``country Italy``, and who waits for one that
    does."""

    word: str
    customers: int


@dataclass(frozen=True)
class Freshness:
    """What there is to know of the age of the scores, at one moment."""

    status: Status
    status_reason: str
    warnings: list[str]  # what a person should look into though the scores are as fresh as the status says
    customers: int
    stale_count: int
    oldest_stale_age_seconds: float | None
    held_back_count: int  # of the stale: they wait for a retry, a person, or a model that knows their country or gender
    objected: int  # customers who have objected to being scored: neither stale nor in the coverage
    coverage: list[Coverage]
    active_release: Release | None
    paused: Paused | None
    lag: Lag
    marks_waiting: int
    workers_running: int
    queue: Queue
    dead_letters: int  # excluded from scoring by the model or by staff, until a person helps
    unknown_word_count: int  # customers whose country or gender the active model does not know: no dead letters
    unknown_words: list[UnknownWord]  # by the most customers, some at most
    excluded_by_staff: int  # of the dead letters
    retries_waiting: int
    last_drain: LastDrain | None
    results_rejected_last_day: int
    last_drift_check: LastDriftCheck | None
    messages_given_up: int  # on alerts, in the last days
