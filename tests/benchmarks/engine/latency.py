"""From the commit of an edit to its current score: ours in units of the plain commit, beside the rivals."""

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import psycopg

from tests.benchmarks.engine.sizes import Sizes
from tests.benchmarks.lags import Lags, django_edit, idle, per_thread, plain_commits, sql_edits, steady
from tests.benchmarks.report import Figure, milliseconds
from tests.benchmarks.setting import GIVE_UP_SECONDS, STOCK_BROKER, scoring_cluster
from tests.others import program
from tests.workers import running_cluster
from vigilpay.env import ROOT

SQL_IDLE_SECONDS = 0.05
STEADY_P99_SECONDS = 0.25
EDITORS = 8
RIVAL_SCORED = "SELECT scored_at IS NOT NULL FROM rival_customer WHERE customer_id = %s"
RIVAL_POLL_SECONDS = 0.0005
RIVAL_PAUSE = (0.3, 0.5)
WARMING = 3  # edits that wait for the cluster, and for each of its workers to load the model


def measure(url: str, sizes: Sizes) -> Iterator[Figure]:
    plain = plain_commits(url, max(20, sizes.idle_samples * 5))
    with scoring_cluster(url):
        django = idle("Django", url, django_edit, sizes.idle_samples)
        sql = idle("SQL", url, sql_edits(url), sizes.idle_samples)
        busy = steady("busy", url, per_thread(lambda: sql_edits(url)), sizes.rate, sizes.steady_seconds, EDITORS)
    yield from judged(plain, django, sql, busy, sizes)
    yield from rivals(url, plain, django, sql, sizes)


def judged(plain: Lags, django: Lags, sql: Lags, busy: Lags, sizes: Sizes) -> Iterator[Figure]:
    yield told("Django edit -> current, idle p50 / plain commit", django.p50, plain.p50)
    budget = 4 * plain.p50 + 0.005
    yield told("Django edit -> current, idle p50 / 4 plain commits + 5 ms", django.p50, budget, at_most=1)
    yield told("SQL edit -> current, idle p50 / plain commit", sql.p50, plain.p50)
    yield told("SQL edit -> current, idle p50 / 50 ms", sql.p50, SQL_IDLE_SECONDS, at_most=1)
    busily = f"{sizes.rate:.0f} SQL edits/s -> current"
    yield told(f"{busily}, p50 / plain commit", busy.p50, plain.p50)
    yield told(f"{busily}, p99 / plain commit", busy.p99, plain.p50)
    yield told(f"{busily}, p99 / 250 ms", busy.p99, STEADY_P99_SECONDS, at_most=1)


def rivals(url: str, plain: Lags, django: Lags, sql: Lags, sizes: Sizes) -> Iterator[Figure]:
    """Told in the same columns: ours is what stands on the left, also in these lines."""
    with scoring_cluster(url, **STOCK_BROKER):
        stock = idle("stock", url, django_edit, sizes.idle_samples)
    yield told("Django edit idle p50, ours / stock broker, job per wake", django.p50, stock.p50)
    with polling():
        poll = idle("poll", url, sql_edits(url), sizes.idle_samples)
    yield told("SQL edit idle p50, ours / a poll every second", sql.p50, poll.p50)
    naive = naive_idle(url, sizes.idle_samples)
    yield told("Django edit idle p50, ours / task per row", django.p50, naive.p50)


def told(what: str, ours: float, beside: float, at_most: float | None = None) -> Figure:
    return Figure(what, milliseconds(ours), milliseconds(beside), ours / beside, at_most=at_most)


@contextmanager
def polling() -> Iterator[None]:
    """The rival that looks at the clock, on the database of this process."""
    with program(sys.executable, "-m", "tests.benchmarks.rivals.poll", cwd=ROOT):
        sleep(3)  # it has started and has scored what was left
        yield


def naive_idle(url: str, samples: int) -> Lags:
    """The usual way on its own table: from the commit of a save to the moment another session sees its score."""
    from tests.benchmarks.rivals import naive

    naive.set_up(customers=1_000)
    commits: list[float] = []
    with (
        naive.listening_to_saves(first=lambda: commits.append(perf_counter())),
        running_cluster(url, Path(os.devnull), **STOCK_BROKER),
        psycopg.connect(url, autocommit=True) as looker,
    ):
        chosen = random.sample(list(naive.RivalCustomer.objects.all()), samples + WARMING)
        seen = [naive_edit(customer, looker) for customer in chosen]
    return Lags("naive", [moment - commit for moment, commit in zip(seen, commits, strict=True)][WARMING:])


def naive_edit(customer: Any, looker: "psycopg.Connection[Any]") -> float:
    """Edit and save, and wait; the moment when the score was seen."""
    sleep(random.uniform(*RIVAL_PAUSE))
    customer.tenure, customer.scored_at = (customer.tenure + 1) % 10, None
    customer.save()
    ends = perf_counter() + GIVE_UP_SECONDS
    while not looker.execute(RIVAL_SCORED, [customer.pk]).fetchone()[0]:
        if perf_counter() > ends:
            raise TimeoutError("the naive rival scored nothing")
        sleep(RIVAL_POLL_SECONDS)
    return perf_counter()
