"""When the overview's figures are counted, and by which process.

A pass over all customers is nothing that a page may do where they are many: there a worker counts, and the page says of
which moment its figures are. No edit and no scoring pays for them; see
docs/decisions/0018-overview-counted-in-the-background.md.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from time import monotonic

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Q
from django.utils import timezone

from customers import turns
from customers.models import ModelRelease
from customers.monitoring import drift
from customers.sql import time_limit
from events.models.engine import Overview
from events.overview.figures import Figures
from events.queue import dispatch

log = logging.getLogger("vigilpay.events")

COUNT_JOB = "events.jobs.count_overview"

# A count that was as quick as this the last time is made by the page: where customers are few, figures are live.
QUICK_SECONDS = 0.1
# Between two counts there are so many times what one takes: a page costs a worker a twentieth of its time at most.
REST_TIMES = 20
LEAST_REST_SECONDS = 10.0
# A job that a worker was asked for may be lost with the queue.
ASK_AGAIN_SECONDS = 60.0
# How long one statement of a count may take for a page, and in a job: two of them may take that long, which is less
# than a job has.
PAGE_PATIENCE = "5s"
JOB_PATIENCE = "20s"

ONE_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
# One count at a time is enough.
TURN = "overview"
MOMENT = "SELECT statement_timestamp()"


def shown() -> Overview | None:
    """The figures for a page: counted on the spot where that is quick or where there are none, else the last ones, and
    if those are old a worker is asked for newer ones. None: there are none, and counting took too long.
    """
    found = Overview.objects.first()
    if found is None or found.took_seconds <= QUICK_SECONDS:
        try:
            count_now(PAGE_PATIENCE)
        except OperationalError as error:
            log.warning("The overview could not be counted for the page, a worker shall do it: %s", error)
            Overview.objects.update(took_seconds=QUICK_SECONDS * REST_TIMES)
            dispatch.queue_on_commit(COUNT_JOB)
        return Overview.objects.first()
    if is_due(found):
        ask_a_worker(found)
    return found


def is_due(found: Overview) -> bool:
    """Whether the figures are old, or of the time of another model or other bands."""
    if timezone.now() - found.counted_at > timedelta(seconds=max(LEAST_REST_SECONDS, REST_TIMES * found.took_seconds)):
        return True
    active = ModelRelease.objects.active()
    if active is not None and active.pk != found.figures["release"]:
        return True
    return bool(found.figures["distribution"]["thresholds"] != list(settings.RISK_BANDS))


def ask_a_worker(found: Overview) -> None:
    """Have a worker count, unless one was asked just now: however many pages ask, it is one job."""
    now = timezone.now()
    lost = Q(asked_at__isnull=True) | Q(asked_at__lt=now - timedelta(seconds=ASK_AGAIN_SECONDS))
    if Overview.objects.filter(lost | Q(asked_at__lt=found.counted_at), pk=found.pk).update(asked_at=now):
        dispatch.queue_on_commit(COUNT_JOB)


def count_if_due() -> bool:
    """The job: count anew unless the figures are new. Whether it counted."""
    found = Overview.objects.first()
    return (found is None or is_due(found)) and count_now()


def count_now(patience: str = JOB_PATIENCE) -> bool:
    """Count everything as of one moment, and store it; False when another process does that just now.

    Raises ``OperationalError`` when a statement takes longer than its ``patience``.
    """
    began = monotonic()
    turns.add(TURN)
    with one_moment() as cursor, time_limit(cursor, patience):
        is_ours = turns.take_if_free(TURN)
        cursor.execute(MOMENT)
        (at,) = cursor.fetchone()
        figures = Figures.counted(cursor, at) if is_ours else None
    if figures is not None:
        store_figures(figures, at, monotonic() - began)
    return figures is not None


def drift_is_due() -> bool:
    """Whether drift is to be checked now, and not with the day's check only: by the customers counted last."""
    found = Overview.objects.first()
    if found is None:
        return False
    portfolio = Figures.from_json(found.figures).portfolio
    return drift.is_due(found.figures["release"], portfolio.customer_count - portfolio.objected, portfolio.stale_count)


@contextmanager
def one_moment() -> Iterator[CursorWrapper]:
    """A transaction in which every statement sees the same customers: without it the parts would not add up."""
    is_ours = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_ours:
            cursor.execute(ONE_MOMENT)
        yield cursor


def store_figures(figures: Figures, at: datetime, took_seconds: float) -> None:
    """In the place of older ones."""
    values = {"counted_at": at, "took_seconds": took_seconds, "figures": asdict(figures)}
    if not Overview.objects.filter(counted_at__lt=at).update(**values):
        Overview.objects.bulk_create([Overview(**values)], ignore_conflicts=True)
