"""How fast a backlog is scored: real workers beside the database's limit and beside a task for every row."""

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any
from unittest.mock import patch

import numpy as np

from tests.benchmarks.engine.report import Figure, per_second
from tests.benchmarks.engine.sizes import Sizes
from tests.benchmarks.engine.table import Table, customer_table
from tests.benchmarks.setting import STALE, STOCK_BROKER, seed
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
SPAN = """
SELECT count(*), extract(epoch FROM max(scored_at) - min(scored_at))::float8
FROM customers_scorerecord WHERE id > %s
"""
NAIVE_SPAN = """
SELECT count(scored_at), extract(epoch FROM max(scored_at) - min(scored_at))::float8 FROM rival_customer
"""


def measure(url: str, sizes: Sizes) -> Iterator[Figure]:
    with customer_table(url) as table:
        one = yield from near_the_limit(url, table, sizes)
        yield from beside_a_task_per_row(url, table, one, sizes)


def near_the_limit(url: str, table: Table, sizes: Sizes) -> Iterator[Figure]:
    """Gives the rate of one worker back."""
    rates: dict[str, list[float]] = {"limit": [], "database": [], "one": [], "two": []}
    for _ in range(sizes.drain_rounds):
        limit, database = at_the_limit(table)
        rates["limit"].append(limit)
        rates["database"].append(database)
        rates["one"].append(drained(url, table, workers=1))
        rates["two"].append(drained(url, table, workers=2))
    limit, database, one, two = (statistics.median(values) for values in rates.values())
    yield compared("drain, 1 worker / same statements, scores known", one, limit, LIMIT_GOAL)
    yield compared("  1 worker / the same, as if its Python cost nothing", one, database)
    cores = os.cpu_count()
    yield compared(f"  2 workers / 1 worker on {cores} cores with PostgreSQL", two, one, SECOND_WORKER_GOAL)
    return one


def beside_a_task_per_row(url: str, table: Table, one: float, sizes: Sizes) -> Iterator[Figure]:
    """The rival gets as many worker processes as ours, and its rows are queued before its clock starts."""
    table.make_current()  # so that our schedules find nothing to do on the rival's cores
    rates = [naive_drained(url, table, sizes.naive_rows) for _ in range(sizes.naive_rounds)]
    yield compared("drain, 1 worker / a task per row, 1 worker", one, statistics.median(rates), NAIVE_GOAL)


# --- ours -------------------------------------------------------------------------------------------------------------


def drained(url: str, table: Table, workers: int) -> float:
    """Rows per second from the first score stored to the last, everybody being stale, by workers just started."""
    rows = table.make_stale()
    table.settle()
    newest = table.value(NEWEST)
    with running_cluster(url, Path(os.devnull), VIGILPAY_WORKERS=str(workers)):
        wait_until_scored(table, rows, newest)
    stored, seconds = table.connection.execute(SPAN, [newest]).fetchone()
    return stored / seconds


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


class KnownScores:
    """In the place of the forest: every score is there at once, and differs from the stored one."""

    def __init__(self, forest: Any) -> None:
        self._forest = forest
        self._known = np.random.default_rng(1).random(100_000)

    def predict_tuples(self, rows: Sequence[Any]) -> Any:
        self._known = np.roll(self._known, 1)
        return self._known[: len(rows)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._forest, name)


@contextmanager
def scores_known() -> Iterator[None]:
    from customers import releases

    forest, release = releases.active_model()
    with patch("customers.scoring.active_model", lambda: (KnownScores(forest), release)):
        yield


def at_the_limit(table: Table) -> tuple[float, float]:
    """Rows per second of the same claims and writes with the scores known, in this process: all in all, and by the
    time that this process did not compute itself."""
    from customers import scoring

    rows = table.make_stale()
    table.settle()
    with scores_known():
        began, computing = perf_counter(), process_time()
        stored = repeat_until_nothing(lambda: scoring.rescore_batch().stored)
        seconds, computed = perf_counter() - began, process_time() - computing
    if stored < rows:
        raise RuntimeError(f"{stored} of {rows} rows were stored")
    return stored / seconds, stored / (seconds - computed)


def repeat_until_nothing(batch: Callable[[], int]) -> int:
    total = 0
    while stored := batch():
        total += stored
    return total


# --- a task per row ---------------------------------------------------------------------------------------------------


def naive_drained(url: str, table: Table, rows: int) -> float:
    from tests.benchmarks.rivals import naive

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
    rates = {}
    with customer_table(url) as table:
        for customers, rounds in zip(sizes.portfolios, sizes.portfolio_rounds, strict=True):
            seed(customers)
            table.shrink(customers)
            rates[customers] = statistics.median(drained(url, table, workers=1) for _ in range(rounds))
    smallest = rates[sizes.portfolios[0]]
    for customers in sizes.portfolios[1:]:
        what = f"cost of a row, {customers:,} customers / {sizes.portfolios[0]:,}"
        yield Figure(
            what, per_second(rates[customers]), per_second(smallest), smallest / rates[customers], at_most=FLAT
        )


def compared(what: str, ours: float, beside: float, at_least: float | None = None) -> Figure:
    return Figure(what, per_second(ours), per_second(beside), ours / beside, at_least=at_least)
