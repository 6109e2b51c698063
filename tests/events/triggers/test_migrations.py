"""Migrations of a database that is in use: customers are there, some of them stale, and none is lost on the way."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import psycopg
import pytest

from tests.databases import scratch_database
from tests.factories import A_CUSTOMER

ROOT = Path(__file__).resolve().parents[3]
BEFORE = [("events", "0003"), ("customers", "0001")]

INSERT = f"""
INSERT INTO customers_customer (customer_id, {", ".join(A_CUSTOMER)})
SELECT number, {", ".join(["%s"] * len(A_CUSTOMER))} FROM generate_series(%s::bigint, %s::bigint) AS number
"""
STALE = "SELECT count(*) FROM customers_customer WHERE stale_since IS NOT NULL"
SCORED = "SELECT count(*), count(DISTINCT customer_id) FROM customers_scorerecord"
DRAIN = "from customers.scoring.scorer import rescore_batch; print(sum(rescore_batch().stored for _ in range(20)))"


@pytest.fixture
def database():
    with scratch_database("vigilpay_test_migrations") as url, psycopg.connect(url, autocommit=True) as connection:
        manage(url, "migrate")
        yield url, connection


def manage(url, *arguments):
    told = {**os.environ, "DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def go_back(url):
    """To the tables as they were before there were marks."""
    for app, migration in BEFORE:
        manage(url, "migrate", app, migration)


def drain(url):
    """The number of scores that this version of the code stores until it finds none any more."""
    return int(manage(url, "shell", "--no-imports", "-c", DRAIN).split()[-1])


def insert(connection, first, last):
    connection.execute(INSERT, [*A_CUSTOMER.values(), first, last])


def one(connection, question):
    return connection.execute(question).fetchone()


def test_customers_who_are_stale_before_are_found_afterwards_and_back_and_forth_again(database):
    url, connection = database
    go_back(url)
    insert(connection, 1, 100)
    manage(url, "migrate")
    assert one(connection, STALE) == (100,)
    assert drain(url) == 100
    insert(connection, 101, 110)
    connection.execute("UPDATE customers_customer SET age = 50 WHERE customer_id IN (1, 2, 101)")

    go_back(url)
    connection.execute("UPDATE customers_customer SET age = 51 WHERE customer_id IN (3, 102)")
    insert(connection, 111, 112)
    assert one(connection, STALE) == (15,)
    assert one(connection, "SELECT to_regclass('customers_stalemark'), to_regclass('events_awake')") == (None, None)

    manage(url, "migrate")
    manage(url, "check", "--database", "default")
    assert drain(url) == 112  # who was current, too: another release was made, so that all come to their reasons
    assert one(connection, STALE) == (0,)
    assert one(connection, SCORED) == (212, 112)


def test_nothing_of_a_new_score_is_lost_when_it_was_written_before_the_migration(database):
    url, connection = database
    go_back(url)
    insert(connection, 1, 1)
    connection.execute(
        "INSERT INTO customers_scorerecord (customer_id, score, version, scored_by_id) VALUES (1, 0.5, 1, 1)"
    )
    manage(url, "migrate")
    record = one(connection, "SELECT score, version, cause, edited_by, age, edited_at FROM customers_scorerecord")
    assert record == (0.5, 1, "", "", None, None)
    assert one(connection, "SELECT edited_by, edited_at FROM customers_customer") == ("", None)


def test_marks_that_wait_and_an_edit_that_is_open_are_found_after_marks_have_become_arrays(database):
    url, connection = database
    manage(url, "migrate", "events", "0009")
    insert(connection, 1, 100)
    with psycopg.connect(url) as editor:
        editor.execute("UPDATE customers_customer SET age = 50 WHERE customer_id = 1")
        editor.execute(INSERT, [*A_CUSTOMER.values(), 101, 120])
        with ThreadPoolExecutor(1) as pool:
            migrating = pool.submit(manage, url, "migrate")
            wait_until_it_waits(connection)
            editor.commit()
            migrating.result(timeout=60)
    assert one(connection, "SELECT to_regclass('customers_stalemark_intact')") == (None,)
    manage(url, "check", "--database", "default")
    assert drain(url) == 120
    assert one(connection, STALE) == (0,)


def wait_until_it_waits(connection):
    while not one(connection, "SELECT count(*) FROM pg_locks WHERE NOT granted")[0]:
        sleep(0.01)
