"""Migrations of a database that is in use: customers are there, some of them stale, and none is lost on the way."""

import os
import subprocess
import sys
from pathlib import Path
from time import sleep

import psycopg
import pytest

from tests.databases import migrated_database
from tests.factories import A_CUSTOMER
from tests.others import meanwhile

ROOT = Path(__file__).resolve().parents[3]
BEFORE = [("events", "0003"), ("customers", "0001")]

INSERT = f"""
INSERT INTO customers_customer (customer_id, {", ".join(A_CUSTOMER)})
SELECT number, {", ".join(["%s"] * len(A_CUSTOMER))} FROM generate_series(%s::bigint, %s::bigint) AS number
"""
STALE = "SELECT count(*) FROM customers_customer WHERE stale_since IS NOT NULL"
SCORED = "SELECT count(*), count(DISTINCT customer_id) FROM customers_scorerecord"
CONSTRAINTS = """
SELECT array_agg(conname::text ORDER BY conname), bool_and(convalidated) FROM pg_constraint
WHERE conname ~ '^customer_(current_means|objected)_'
"""
FAILURE = """
INSERT INTO customers_scoringfailure (customer_id, version, release_id, error, attempts)
SELECT %s, 1, max(id), %s, %s FROM customers_modelrelease
"""
DRAIN = "from customers.scoring.scorer import rescore_batch; print(sum(rescore_batch().stored for _ in range(20)))"


@pytest.fixture
def database():
    migrated = migrated_database("vigilpay_test_migrations")
    with migrated as url, psycopg.connect(url, autocommit=True) as connection:
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_marks_that_wait_and_an_edit_that_is_open_are_found_after_marks_have_become_arrays(database):
    url, connection = database
    manage(url, "migrate", "events", "0009")
    insert(connection, 1, 100)
    with psycopg.connect(url) as editor:
        editor.execute("UPDATE customers_customer SET age = 50 WHERE customer_id = 1")
        editor.execute(INSERT, [*A_CUSTOMER.values(), 101, 120])
        with meanwhile(lambda: manage(url, "migrate")):
            wait_until_it_waits(connection)
            editor.commit()
    assert one(connection, "SELECT to_regclass('customers_stalemark_intact')") == (None,)
    manage(url, "check", "--database", "default")
    assert drain(url) == 120
    assert one(connection, STALE) == (0,)


def test_going_back_withdraws_objections_and_both_ways_leave_what_the_constraints_ask_for(database):
    url, connection = database
    insert(connection, 1, 20)
    assert drain(url) == 20
    connection.execute("UPDATE customers_customer SET objected_at = now() WHERE customer_id <= 5")
    manage(url, "migrate", "events", "0012")
    manage(url, "migrate", "customers", "0012")
    assert one(connection, STALE) == (5,)
    assert one(connection, CONSTRAINTS) == (["customer_current_means_scored"], True)
    connection.execute("UPDATE customers_customer SET age = 50 WHERE customer_id = 6")
    manage(url, "migrate")
    manage(url, "check", "--database", "default")
    anew = ["customer_objected_at_is_possible", "customer_objected_means_no_score"]
    assert one(connection, CONSTRAINTS) == (["customer_current_means_scored", *anew], True)
    assert drain(url) == 6
    assert one(connection, STALE) == (0,)


def test_what_staff_had_excluded_is_told_from_the_models_own_after_the_migration(database):
    url, connection = database
    insert(connection, 1, 3)
    assert drain(url) == 3
    manage(url, "migrate", "customers", "0012")
    for customer, error, attempts in ((1, "set aside by clerk", 0), (2, "Odd balance.", 5), (3, "set aside by it", 5)):
        connection.execute(FAILURE, [customer, error, attempts])
    manage(url, "migrate")
    reasons = connection.execute("SELECT customer_id, reason FROM customers_scoringfailure ORDER BY 1").fetchall()
    assert reasons == [(1, "person"), (2, "model"), (3, "model")]


def wait_until_it_waits(connection):
    while not one(connection, "SELECT count(*) FROM pg_locks WHERE NOT granted")[0]:
        sleep(0.01)
