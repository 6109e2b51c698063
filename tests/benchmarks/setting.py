"""Where every benchmark runs: a scratch database with demo customers, and real workers on it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep

import psycopg

from tests.workers import running_cluster

RIVAL_JOB = "tests.benchmarks.rivals.naive.score"  # in ours and in the workers that are started here
STOCK_BROKER = {"VIGILPAY_BROKER": "django_q.brokers.orm.ORM"}
GIVE_UP_SECONDS = 120.0
ASLEEP_SECONDS = 2.0  # longer than a drain holds the lease

TOUCH_ONE = "UPDATE customers_customer SET tenure = (tenure + 1) %% 10 WHERE customer_id = %s"
STALE = "SELECT count(*) FROM customers_customer WHERE stale_since IS NOT NULL"


@contextmanager
def started_django(url: str, customers: int) -> Iterator[None]:
    """Django on that database, migrated, with demo customers who have no score yet."""
    import django
    from django.core.management import call_command
    from django.db import connections

    os.environ.update(DATABASE_URL=url, DJANGO_SETTINGS_MODULE="vigilpay.settings", VIGILPAY_JOBS_ALLOWED=RIVAL_JOB)
    django.setup()
    call_command("migrate", verbosity=0)
    seed(customers)
    try:
        yield
    finally:
        connections.close_all()


def seed(customers: int) -> None:
    """Let there be that many demo customers; those of a smaller number stay as they are."""
    from django.core.management import call_command

    call_command("seed_demo", customers=customers, verbosity=0)


@contextmanager
def scoring_cluster(url: str, **environment: str) -> Iterator[None]:
    """A worker that has scored all customers and whose lease is over."""
    from events.queue import dispatch

    with running_cluster(url, Path(os.devnull), **environment), psycopg.connect(url, autocommit=True) as connection:
        ends = perf_counter() + GIVE_UP_SECONDS
        connection.execute(TOUCH_ONE, [customers(url)[0]])  # a worker at work proves that it has started
        dispatch.wake()  # the stock broker is notified of nothing else
        while connection.execute(STALE).fetchone()[0]:
            if perf_counter() > ends:
                raise TimeoutError("the worker did not score the demo customers")
            sleep(0.2)
        sleep(ASLEEP_SECONDS)
        yield


def customers(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT customer_id FROM customers_customer")]
