"""How fast a backlog is scored: real workers beside the database's limit and beside a task for every row."""

import math
import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any
from unittest.mock import patch

import numpy as np

from customers.ml_service import FEATURES, Explained
from tests.benchmarks.engine.sizes import Sizes
from tests.benchmarks.engine.table import Table, customer_table
from tests.benchmarks.report import Figure, of_rounds, per_second
from tests.benchmarks.setting import STALE, STOCK_BROKER, scoring_cluster, seed
from tests.workers import running_cluster

LIMIT_GOAL = 0.6
NAIVE_GOAL = 50
FLAT = 1.5  # a row may cost this much more in the largest portfolio than in the smallest
MANY_CORES = 4
# With fewer cores, which PostgreSQL shares, a second worker can win next to nothing: it must not lose, and 5 % is what
# medians of equal things differ by.
SECOND_WORKER_GOAL = 1.0 if (os.cpu_count() or 1) >= MANY_CORES else 0.95
PAUSE_SECONDS = 0.1
STUCK_SECONDS = 120.0

NEWEST = "SELECT COALESCE(max(id), 0) FROM customers_scorerecord"
# From the end of the first batch, which began unseen, to the end of the last one; a batch is a transaction.
SPAN = """
WITH batch AS (
    SELECT count(*) AS rows, max(scored_at) AS ended FROM customers_scorerecord WHERE id > %s GROUP BY xmin::text
)
SELECT sum(rows)::float8 - (SELECT rows FROM batch ORDER BY ended LIMIT 1),
    extract(epoch FROM max(ended) - min(ended))::float8
FROM batch
"""
NAIVE_SPAN = """
SELECT count(scored_at), extract(epoch FROM max(scored_at) - min(scored_at))::float8 FROM rival_customer
"""


def measure(url: str, sizes: Sizes) -> Iterator[Figure]:
    cores = os.cpu_count()
    with customer_table(url) as table:
        rounds = [one_round(url, table, sizes) for _ in range(sizes.drain_rounds)]
    limit, database, alone, one, two, naive = zip(*rounds, strict=True)
    slower = [min(pair) for pair in zip(limit, alone, strict=True)]
    told = partial(of_rounds, written=per_second)
    yield told("drain, 1 worker / slower of same statements and explainer", one, slower, at_least=LIMIT_GOAL)
    yield told("  1 worker / same statements, scores and reasons known", one, limit)
    yield told("  1 worker / the same, as if its Python cost nothing", one, database)
    yield told("  1 worker / the explainer alone, on one core", one, alone)
    yield told("drain, 1 worker / a task per row, 1 worker", one, naive, at_least=NAIVE_GOAL)
    yield told(f"drain, 2 workers / 1 on {cores} cores with PostgreSQL", two, one, at_least=SECOND_WORKER_GOAL)


def one_round(url: str, table: Table, sizes: Sizes) -> tuple[float, ...]:
    """Rows per second: the limit, its database alone, the explainer alone, one worker, two, and a task per row."""
    ours = (
        *at_the_limit(table),
        explained_alone(table),
        drained(url, table, workers=1),
        drained(url, table, workers=2),
    )
    return (*ours, naive_drained(url, table, sizes.naive_rows))


# --- ours -------------------------------------------------------------------------------------------------------------


def drained(url: str, table: Table, workers: int) -> float:
    """Rows per second from the first batch stored to the last, all being stale, by workers who have nothing
    else to do: they have started, and scoring is paused until the table is ready."""
    from events.queue import pause

    with scoring_cluster(url, VIGILPAY_WORKERS=str(workers)):
        pause.pause()
        rows = table.make_stale()
        table.settle()
        newest = table.value(NEWEST)
        pause.resume()
        wait_until_scored(table, rows, newest)
    stored, seconds = table.connection.execute(SPAN, [newest]).fetchone()
    return stored / seconds if seconds else math.nan  # a single batch, which only a quick run has


def wait_until_scored(table: Table, rows: int, newest: int) -> None:
    """Looks at one end of an index only, for the workers need the cores."""
    seen, since = newest, perf_counter()
    while seen < newest + rows or table.value(STALE):
        sleep(PAUSE_SECONDS)
        if (found := table.value(NEWEST)) != seen:
            seen, since = found, perf_counter()
        elif perf_counter() - since > STUCK_SECONDS:
            raise TimeoutError(f"the workers have stored nothing for {STUCK_SECONDS:.0f} s")


# --- the limit --------------------------------------------------------------------------------------------------------


class KnownAnswers:
    """In the place of the forest: every score and its reasons are there at once, and differ from those stored."""

    def __init__(self, rows: int) -> None:
        chosen, features = np.random.default_rng(1), len(FEATURES)
        self._known = Explained(
            chosen.random(rows), chosen.normal(0, 0.05, (rows, features)), np.zeros((rows, features), np.float32)
        )
        self.given = 0

    def explain_matrix(self, rows: Sequence[Any]) -> Explained:
        self.given += len(rows)
        return self._known.only(range(self.given - len(rows), self.given))


@contextmanager
def answers_known(rows: int) -> Iterator[KnownAnswers]:
    from customers.releases import active

    _, release = active.active_model()
    known = KnownAnswers(rows)
    with patch("customers.scoring.scorer.model_at_hand", lambda: (known, release)):
        yield known


def at_the_limit(table: Table) -> tuple[float, float]:
    """Rows per second of the same claims and writes with the scores known, in this process: all in all, and by the
    time that this process did not compute itself."""
    rows = table.make_stale()
    table.settle()
    with answers_known(rows) as known:
        began, computing = perf_counter(), process_time()
        stored = score_all()
        seconds, computed = perf_counter() - began, process_time() - computing
    if not stored == known.given == rows:
        raise RuntimeError(f"of {rows} rows {stored} were stored, {known.given} with answers that were known")
    return stored / seconds, stored / (seconds - computed)


def explained_alone(table: Table) -> float:
    """Rows per second of the explainer alone, on one core, in batches as a drain has them."""
    from django.conf import settings

    from customers.releases import active

    forest, _ = active.active_model()
    rows = table.connection.execute(f"SELECT {', '.join(FEATURES)} FROM customers_customer LIMIT 20000").fetchall()
    batch = settings.DRAIN_BATCH_ROWS
    began = perf_counter()
    for first in range(0, len(rows), batch):
        forest.explain_matrix(rows[first : first + batch])
    return len(rows) / (perf_counter() - began)


def score_all() -> int:
    """Batch after batch until there is nothing stale; the number of scores stored."""
    from customers.scoring import scorer
    from events.queue import dispatch

    total = 0
    while (stored := scorer.rescore_batch().stored) or dispatch.anything_to_do():
        total += stored
    return total


# --- a task per row ---------------------------------------------------------------------------------------------------


def naive_drained(url: str, table: Table, rows: int) -> float:
    """Rows per second by as many worker processes as ours; the tasks are queued before the clock starts."""
    from tests.benchmarks.rivals import naive

    table.make_current()  # so that our schedules find nothing to do on the rival's cores
    naive.set_up(rows)
    with naive.listening_to_saves():
        for customer in naive.RivalCustomer.objects.all():
            customer.save()
    with running_cluster(url, Path(os.devnull), **STOCK_BROKER, VIGILPAY_WORKERS="1"):
        since = perf_counter()
        while table.connection.execute(NAIVE_SPAN).fetchone()[0] < rows:
            if perf_counter() - since > STUCK_SECONDS:
                raise TimeoutError("the naive rival did not score its rows")
            sleep(PAUSE_SECONDS)
    scored, seconds = table.connection.execute(NAIVE_SPAN).fetchone()
    return scored / seconds


# --- portfolios of all sizes ------------------------------------------------------------------------------------------


def measure_sizes(url: str, sizes: Sizes) -> Iterator[Figure]:
    """Whether a row costs the same in a large portfolio."""
    smallest: float | None = None
    with customer_table(url) as table:
        for customers, rounds in zip(sizes.portfolios, sizes.portfolio_rounds, strict=True):
            seed(customers)
            table.shrink(customers)
            rate = statistics.median(drained(url, table, workers=1) for _ in range(rounds))
            smallest = smallest or rate
            what = f"cost of a row at {customers:,} customers / at {sizes.portfolios[0]:,}"
            if rate is not smallest:
                yield Figure(what, per_second(rate), per_second(smallest), smallest / rate, at_most=FLAT)
