"""What a monitor stores of the engine: named numbers, each a fact in the database, the same from every process."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

from django.db import connection

from customers.sql import fetch_row
from events.freshness.answer import Freshness
from events.freshness.queries import recent_freshness
from events.freshness.status import Status

DRAIN_WINDOW_MINUTES = 5

# Drains are deleted after some days, so that their sum is no counter.
DRAINS = f"""
SELECT count(*) AS drains, COALESCE(sum(claimed), 0) AS claimed, COALESCE(sum(stored), 0) AS stored,
    COALESCE(sum(rejected), 0) AS rejected, COALESCE(sum(refused), 0) AS refused
FROM events_drain WHERE ended_at > statement_timestamp() - interval '{DRAIN_WINDOW_MINUTES} minutes'
"""
WORKERS = """
SELECT name, date_part('epoch', clock_timestamp() - COALESCE(looked_at, started_at)) FROM events_worker ORDER BY name
"""
OUTBOX = """
SELECT count(*), COALESCE(max(date_part('epoch', clock_timestamp() - due_at)), 0)
FROM events_delivery WHERE state = 'waiting'
"""


@dataclass(frozen=True)
class Measure:
    """One number; those of the same name differ by their labels."""

    name: str
    meaning: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def measures() -> Iterator[Measure]:
    """All of them, some seconds old at most. Raises ``OperationalError`` when the database does not answer."""
    yield from of_freshness(recent_freshness())
    yield from of_drains()
    yield from of_workers()
    waiting, oldest = fetch_row(OUTBOX)
    yield Measure("alert_messages_waiting", "Messages on alerts that wait to be sent.", waiting)
    yield Measure("alert_message_oldest_due_seconds", "How long the first of them is due.", max(0.0, oldest))


def of_freshness(found: Freshness) -> Iterator[Measure]:
    for status in get_args(Status):
        yield Measure("status", "1 for the status that freshness reports.", status == found.status, {"status": status})
    yield Measure("customers", "Customers.", found.customers)
    yield Measure("stale_customers", "Customers whose score is not current.", found.stale_count)
    yield Measure("stale_oldest_seconds", "Age of the oldest of them.", found.oldest_stale_age_seconds or 0.0)
    yield Measure(
        "held_back_customers",
        "Of these, customers who wait for a retry, a person, or a model that knows their country or gender.",
        found.held_back_count,
    )
    yield Measure("dead_letters", "Customers excluded from scoring by the model or by staff.", found.dead_letters)
    yield Measure(
        "unknown_word_customers",
        "Customers who wait for a model that knows their country or gender.",
        found.unknown_word_count,
    )
    yield Measure("retries_waiting", "Customers for whom a retry is scheduled.", found.retries_waiting)
    yield Measure("marks_waiting", "Changes that wait for a scoring run.", found.marks_waiting)
    yield Measure("jobs", "Jobs in the queue.", found.queue.waiting_jobs, {"state": "waiting"})
    yield Measure("jobs", "Jobs in the queue.", found.queue.claimed_jobs, {"state": "claimed"})
    yield Measure("workers_running", "Workers with a heartbeat in the last seconds.", found.workers_running)
    yield Measure("paused", "1 while scoring is paused.", found.paused is not None)
    yield Measure(
        "alert_messages_given_up", "Alert messages not sent in the last days, and given up.", found.messages_given_up
    )
    yield from of_lag(found)


def of_lag(found: Freshness) -> Iterator[Measure]:
    """Of the last minutes; nothing where no customer was edited."""
    for quantile, seconds in (("0.5", found.lag.p50_seconds), ("0.99", found.lag.p99_seconds)):
        if seconds is not None:
            yield Measure("edit_to_score_seconds", "From edit to stored score.", seconds, {"quantile": quantile})


def of_drains() -> Iterator[Measure]:
    with connection.cursor() as cursor:
        cursor.execute(DRAINS)
        names = [column.name for column in cursor.description]
        for name, number in zip(names, cursor.fetchone(), strict=True):
            yield Measure(
                f"drain_{name}", f"Of scoring runs that ended in the last {DRAIN_WINDOW_MINUTES} minutes.", number
            )


def of_workers() -> Iterator[Measure]:
    with connection.cursor() as cursor:
        cursor.execute(WORKERS)
        for name, seconds in cursor.fetchall():
            yield Measure("worker_heartbeat_seconds", "Time since its last heartbeat.", seconds, {"worker": name})
