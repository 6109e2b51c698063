"""How long a stored score lags behind an edit: ours, and the same loop on django-q2's stock PostgreSQL broker.

``make bench-freshness``. The lag runs from the commit of an edit to the moment another session sees the new score:
idle (nobody edited for longer than a drain stays awake) and at a steady rate. Ratios hold on a noisy machine, single
times don't: the plain commit, of the same UPDATE on a table without our triggers, is measured in the same run.
"""

import argparse
import os
import random
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from time import perf_counter, sleep

import psycopg

from tests.databases import scratch_database
from tests.workers import running_cluster

CUSTOMERS = 10_000
IDLE_PAUSE = (1.25, 1.65)  # seconds between two idle edits: longer than a drain stays awake
POLL_SECONDS = 0.0005
GIVE_UP_SECONDS = 60.0
EDITORS = 4
STOCK = {"VIGILPAY_BROKER": "django_q.brokers.orm.ORM"}

PLAIN_TABLE = """
CREATE TABLE plain_customer (LIKE customers_customer INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING CONSTRAINTS);
INSERT INTO plain_customer SELECT * FROM customers_customer;
"""
PLAIN_EDIT = "UPDATE plain_customer SET balance = %s WHERE customer_id = %s"
SQL_EDIT = "UPDATE customers_customer SET balance = %s WHERE customer_id = %s RETURNING version"
SCORED = "SELECT max(id), array_agg(customer_id), array_agg(version) FROM customers_scorerecord WHERE id > %s - 50"
# 50: two workers may commit in another order than they drew their ids.

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

    def __str__(self) -> str:
        return f"{self.name:<44}{self.p50 * 1000:>10.2f}{self.quantile(0.99) * 1000:>10.2f}{len(self.seconds):>8}"


class Watcher:
    """Sees scores as another session does: polls the history and notes when each version of a customer appeared."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._newest = self._connection.execute("SELECT coalesce(max(id), 0) FROM customers_scorerecord").fetchone()[0]
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
            newest, customers, versions = self._connection.execute(SCORED, [self._newest]).fetchone()
            now = perf_counter()
            if newest == self._newest:
                sleep(POLL_SECONDS)
            for key in zip(customers, versions, strict=True):
                self._seen.setdefault(key, now)
            self._newest = newest

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
        # Before the signal's own: the lag must contain the knock.
        transaction.on_commit(lambda: committed.append(perf_counter()))
        customer = Customer.objects.get(pk=customer_id)
        customer.balance = random_balance()
        customer.save()
    return customer.version, committed[0]


def random_balance() -> int:
    return random.randrange(1, 10**7)


def plain_commits(url: str, number: int) -> Lags:
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
    """One edit at a time, each of them finding the workers asleep."""
    lags = Lags(name)
    with Watcher(url) as watcher:
        for customer in random.sample(customers(url), number):
            sleep(random.uniform(*IDLE_PAUSE))
            version, committed = edit(customer)
            lags.seconds.append(watcher.wait(customer, version) - committed)
    return lags


def steady(name: str, url: str, edit: Edit, rate: float, seconds: float) -> Lags:
    """Edits at a steady rate from several connections."""
    chosen = random.sample(customers(url), int(rate * seconds))
    began = perf_counter() + 0.2
    with Watcher(url) as watcher, ThreadPoolExecutor(EDITORS) as editors:
        due = [(customer, began + i / rate) for i, customer in enumerate(chosen)]
        edits = list(editors.map(lambda job: (job[0], *at(edit, *job)), due))
        return Lags(name, [watcher.wait(customer, version) - moment for customer, version, moment in edits])


def at(edit: Edit, customer: int, due: float) -> tuple[int, float]:
    sleep(max(0.0, due - perf_counter()))
    return edit(customer)


def customers(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT customer_id FROM customers_customer")]


@contextmanager
def started_django(url: str) -> Iterator[None]:
    """Django on that database, migrated, with demo customers whom nobody has scored yet."""
    import django
    from django.core.management import call_command
    from django.db import connections

    os.environ.update(DATABASE_URL=url, DJANGO_SETTINGS_MODULE="vigilpay.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("seed_demo", customers=CUSTOMERS, verbosity=0)
    try:
        yield
    finally:
        connections.close_all()


@contextmanager
def scoring_cluster(url: str, **environment: str) -> Iterator[None]:
    """A worker that has scored everybody and has gone to sleep."""
    with running_cluster(url, Path(os.devnull), **environment), psycopg.connect(url, autocommit=True) as connection:
        ends = perf_counter() + GIVE_UP_SECONDS
        django_edit(customers(url)[0])  # the stock broker hears of nothing else
        while connection.execute("SELECT count(*) FROM customers_customer WHERE stale_since IS NOT NULL").fetchone()[0]:
            if perf_counter() > ends:
                raise TimeoutError("the worker did not score the demo customers")
            sleep(0.2)
        sleep(2)
        yield


def per_thread(make_edit: Callable[[], Edit]) -> Edit:
    """An edit that uses a connection of its own in each thread."""
    from threading import local

    mine = local()

    def edit(customer: int) -> tuple[int, float]:
        if not hasattr(mine, "edit"):
            mine.edit = make_edit()
        return mine.edit(customer)

    return edit


def measure(url: str, samples: int, rate: float, seconds: float) -> Iterator[Lags]:
    yield plain_commits(url, samples * 5)
    with scoring_cluster(url):
        yield idle("idle, Django save, ours", url, django_edit, samples)
        yield idle("idle, plain SQL, ours", url, sql_edits(url), samples)
        yield steady(f"{rate:.0f} edits/s, Django save, ours", url, django_edit, rate, seconds)
        yield steady(f"{rate:.0f} edits/s, plain SQL, ours", url, per_thread(lambda: sql_edits(url)), rate, seconds)
    with scoring_cluster(url, **STOCK):
        yield idle("idle, Django save, stock broker", url, django_edit, samples)
        yield steady(f"{rate:.0f} edits/s, Django save, stock broker", url, django_edit, rate, seconds)


def report(lags: dict[str, Lags]) -> str:
    """The figures that were to be reached, as ratios."""
    plain = lags["plain commit of the same UPDATE, no triggers"].p50
    ours, stock = lags["idle, Django save, ours"].p50, lags["idle, Django save, stock broker"].p50
    sql = lags["idle, plain SQL, ours"].p50
    budget = 4 * plain + 0.005
    return (
        f"idle p50, Django save: {ours / budget:.2f} of the budget (4 x plain commit + 5 ms = {budget * 1000:.1f} ms)\n"
        f"idle p50, plain SQL:   {sql / budget:.2f} of the same budget\n"
        f"stock broker / ours, idle p50: {stock / ours:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100, help="idle edits of each kind")
    parser.add_argument("--rate", type=float, default=200.0, help="edits per second when not idle")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long not idle")
    options = parser.parse_args()
    with scratch_database("vigilpay_bench") as url, started_django(url):
        sys.stdout.write(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {CUSTOMERS} customers\n")
        sys.stdout.write(f"{'from commit to current score':<44}{'p50 ms':>10}{'p99 ms':>10}{'edits':>8}\n")
        found: dict[str, Lags] = {}
        for lags in measure(url, options.samples, options.rate, options.seconds):
            found[lags.name] = lags
            sys.stdout.write(f"{lags}\n")
            sys.stdout.flush()
        sys.stdout.write(f"{report(found)}\n")


if __name__ == "__main__":
    main()
