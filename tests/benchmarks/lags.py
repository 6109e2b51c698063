"""The lag from the commit of an edit to the moment another session sees the new score."""

import random
import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Thread, local
from time import perf_counter, sleep
from typing import Any

import psycopg

from tests.benchmarks.setting import GIVE_UP_SECONDS, customers

IDLE_PAUSE = (1.25, 1.65)  # seconds between two idle edits: longer than a drain holds the lease
POLL_SECONDS = 0.0005

PLAIN_TABLE = """
DROP TABLE IF EXISTS plain_customer;
CREATE TABLE plain_customer (LIKE customers_customer INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING CONSTRAINTS);
INSERT INTO plain_customer SELECT * FROM customers_customer;
"""
PLAIN_EDIT = "UPDATE plain_customer SET balance = %s WHERE customer_id = %s"
SQL_EDIT = "UPDATE customers_customer SET balance = %s WHERE customer_id = %s RETURNING version"
SCORED_YET = "SELECT scored_version >= %s FROM customers_customer WHERE customer_id = %s"
SCORED = "SELECT max(id), array_agg(customer_id), array_agg(version) FROM customers_scorerecord WHERE id > %s"
# Workers commit in another order than they draw their ids: every look reaches back, and now and then one far back.
REACH_BACK, REACH_FAR, FAR_EVERY = 200, 2_000, 100

# Edits a customer and returns the version it left and the moment it was committed.
Edit = Callable[[int], tuple[int, float]]


@dataclass
class Lags:
    """Seconds from commit to score, one for each edit."""

    name: str
    seconds: list[float] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    @property
    def p50(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        return self.quantile(0.99)

    def __str__(self) -> str:
        return f"{self.name:<44}{self.p50 * 1000:>10.2f}{self.p99 * 1000:>10.2f}{len(self.seconds):>8}"


class Watcher:
    """Sees scores as another session does: polls the history and notes when each version of a customer appeared."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._newest = self._connection.execute("SELECT coalesce(max(id), 0) FROM customers_scorerecord").fetchone()[0]
        self._looks = 0
        self._seen: dict[tuple[int, int], float] = {}
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()
        self._connection.close()

    def _watch(self) -> None:
        while not self._stop.is_set():
            newest, scored, versions = self._connection.execute(SCORED, [self._newest - self._reach()]).fetchone()
            now = perf_counter()
            for key in zip(scored or (), versions or (), strict=True):
                self._seen.setdefault(key, now)
            if newest is None or newest == self._newest:
                sleep(POLL_SECONDS)
            self._newest = newest or self._newest

    def _reach(self) -> int:
        self._looks += 1
        return REACH_BACK if self._looks % FAR_EVERY else REACH_FAR

    def wait(self, customer: int, version: int) -> float:
        """The moment this version, or a later one, was seen scored."""
        ends = perf_counter() + GIVE_UP_SECONDS
        while perf_counter() < ends:
            if (seen := self.seen(customer, version)) is not None:
                return seen
            sleep(POLL_SECONDS)
        raise TimeoutError(f"customer {customer} was not scored within {GIVE_UP_SECONDS} s")

    def seen(self, customer: int, version: int) -> float | None:
        # A drain scores the row as it finds it: an edit that came on top of ours is answered together with it.
        later = (self._seen.get((customer, version + ahead)) for ahead in range(5))
        return next((moment for moment in later if moment is not None), None)


def sql_edits(url: str) -> Edit:
    connection = psycopg.connect(url, autocommit=True)

    def edit(customer: int) -> tuple[int, float]:
        version = connection.execute(SQL_EDIT, [random_balance(), customer]).fetchone()[0]
        return version, perf_counter()

    return edit


def django_edit(customer_id: int) -> tuple[int, float]:
    from django.db import transaction

    from customers.models import Customer

    committed: list[float] = []
    with transaction.atomic():
        # Before the signal's own: the lag must contain the notification.
        transaction.on_commit(lambda: committed.append(perf_counter()))
        customer = Customer.objects.get(pk=customer_id)
        customer.balance = random_balance()
        customer.save()
    customer.refresh_from_db(fields=["version"])  # which a save asks for only when the lease seems to be free
    return customer.version, committed[0]


def random_balance() -> int:
    return random.randrange(1, 10**7)


def per_thread(make_edit: Callable[[], Edit]) -> Edit:
    """An edit that uses a connection of its own in each thread."""
    mine = local()

    def edit(customer: int) -> tuple[int, float]:
        if not hasattr(mine, "edit"):
            mine.edit = make_edit()
        return mine.edit(customer)

    return edit


def plain_commits(url: str, number: int) -> Lags:
    """The unit of all lags: the same UPDATE on an equal table without our triggers."""
    lags = Lags("plain commit of the same UPDATE, no triggers")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(PLAIN_TABLE)
        for customer in random.sample(customers(url), number):
            sleep(0.01)
            began = perf_counter()
            connection.execute(PLAIN_EDIT, [random_balance(), customer])
            lags.seconds.append(perf_counter() - began)
    return lags


def idle(name: str, url: str, edit: Edit, number: int) -> Lags:
    """One edit at a time, each of them finding the lease free."""
    lags = Lags(name)
    with psycopg.connect(url, autocommit=True) as looker:
        for customer in random.sample(customers(url), number):
            sleep(random.uniform(*IDLE_PAUSE))
            version, committed = edit(customer)
            lags.seconds.append(seen_scored(looker, customer, version) - committed)
    return lags


def seen_scored(looker: "psycopg.Connection[Any]", customer: int, version: int) -> float:
    """The moment when another session saw this version scored, or a later one; it looks as lightly as it can, for
    the worker shares the machine with it."""
    ends = perf_counter() + GIVE_UP_SECONDS
    while not looker.execute(SCORED_YET, [version, customer]).fetchone()[0]:
        if perf_counter() > ends:
            raise TimeoutError(f"customer {customer} was not scored within {GIVE_UP_SECONDS} s")
        sleep(POLL_SECONDS)
    return perf_counter()


def steady(name: str, url: str, edit: Edit, rate: float, seconds: float, editors: int = 4) -> Lags:
    """Edits at a steady rate from several connections."""
    chosen = random.sample(customers(url), int(rate * seconds))
    began = perf_counter() + 0.2
    with Watcher(url) as watcher, ThreadPoolExecutor(editors) as pool:
        due = [(customer, began + i / rate) for i, customer in enumerate(chosen)]
        edits = list(pool.map(lambda job: (job[0], *at(edit, *job)), due))
        return Lags(name, [watcher.wait(customer, version) - moment for customer, version, moment in edits])


def at(edit: Edit, customer: int, due: float) -> tuple[int, float]:
    sleep(max(0.0, due - perf_counter()))
    return edit(customer)
