"""A program that copies the scores is killed again and again, and ends with what the table has."""

import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from time import sleep

import psycopg
import pytest
from django.db import transaction
from psycopg.errors import UniqueViolation

from customers.history import feed
from customers.history.feed import read_changes
from customers.models import Customer, FeedEpoch
from customers.scoring import many, scorer
from tests.databases import scratch_database, url_of_test_database
from tests.dumps import PG_DUMP, PG_RESTORE, needs_dumps
from tests.factories import A_CUSTOMER, make_customers, no_mark_was_lost
from tests.others import await_that, going_on, meanwhile, outsider, program, together

pytestmark = pytest.mark.django_db(transaction=True)

PROGRAM = Path(__file__).with_name("copying_program.py")
COLUMNS = ", ".join(A_CUSTOMER)
PLACES = ", ".join(["%s"] * len(A_CUSTOMER))
INSERT = f"INSERT INTO customers_customer (customer_id, {COLUMNS}) SELECT i, {PLACES} FROM unnest(%s::bigint[]) AS i"
EDITORS, CUSTOMERS = 2, 3000


def an_edit(editor, pick, mine):
    """One transaction of an editor, which may be slow, and may be rolled back; how many rows it was to write."""
    ids = sorted(pick.sample(mine, pick.choice([1, 1, 2, 5, 20])))
    what = pick.random()
    try:
        if what < 0.7:
            editor.execute(
                "UPDATE customers_customer SET age = %s WHERE customer_id = ANY (%s)", [pick.randint(18, 90), ids]
            )
        elif what < 0.8:
            editor.execute("DELETE FROM customers_customer WHERE customer_id = ANY (%s)", [ids])
        elif what < 0.95:
            editor.execute(f"{INSERT} ON CONFLICT DO NOTHING", [*A_CUSTOMER.values(), ids])
        else:
            editor.execute(
                "UPDATE customers_customer SET customer_id = %s WHERE customer_id = %s", [pick.choice(mine), ids[0]]
            )
        if pick.random() < 0.2:
            editor.execute("SELECT pg_sleep(%s)", [pick.random() / 20])
    except UniqueViolation:
        editor.rollback()
    if pick.random() < 0.05:
        editor.rollback()
    else:
        editor.commit()
    return len(ids)


def edit_for(number, seed):
    pick = random.Random(seed)
    mine = list(range(seed + 1, CUSTOMERS + 1, EDITORS))  # two who edit the same rows together could deadlock
    with outsider(autocommit=False) as editor:
        while number > 0:
            number -= an_edit(editor, pick, mine)


def score_until(is_over, seed):
    pick = random.Random(seed)
    while not is_over.is_set():
        with transaction.atomic():  # some commit late: others' scores that began later are read before
            scorer.rescore_batch(limit=pick.choice([1, 5, 20, 100]))
            sleep(pick.choice([0, 0, 0, 0.05]))
        if pick.random() < 0.05:
            many.analyze_many(pick.sample(range(1, CUSTOMERS + 1), 20))


def copy_while(running, address, path, seed):
    """Have the program copy, and kill it a moment after it has got on, again and again; how often it was killed."""
    pick, killed = random.Random(seed), 0
    while running.is_set() or killed < 3:  # scores go on to change after the last edit
        before = position(path)
        with program(sys.executable, str(PROGRAM), address, str(path)) as copying:
            await_that(partial(has_moved, path, before), "the program has got on", seconds=120)
            sleep(pick.uniform(0, 0.5))
            assert copying.poll() is None
        killed += 1
    return killed


def has_moved(path, before):
    return position(path) != before


def position(path):
    """Where the program has come to; None before it has read all customers."""
    with closing(sqlite3.connect(path)) as copy:
        try:
            return copy.execute("SELECT next FROM position").fetchone()
        except sqlite3.OperationalError:  # there is no table yet, or it is being written
            return None


def table():
    scored = Customer.objects.filter(churn_risk_score__isnull=False)
    return {
        it: (score, version) for it, score, version in scored.values_list("pk", "churn_risk_score", "scored_version")
    }


def copied(path):
    with closing(sqlite3.connect(path)) as copy:
        return {it: (score, version) for it, score, version in copy.execute("SELECT * FROM score")}


def catch_up(address, path):
    subprocess.run([sys.executable, str(PROGRAM), address, str(path), "until-quiet"], check=True, timeout=120)


@pytest.mark.parametrize("edits", [5_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_it_ends_with_the_scores_of_the_table(edits, tmp_path, live_server):
    path, editing = tmp_path / "copy.sqlite", threading.Event()
    editing.set()
    no_mark_was_lost()
    with outsider() as loader:
        loader.execute(INSERT, [*A_CUSTOMER.values(), list(range(1, CUSTOMERS + 1))])

    def edit_all():
        try:
            together(*(lambda seed=seed: edit_for(edits // EDITORS, seed) for seed in range(EDITORS)), seconds=1700)
        finally:
            editing.clear()

    with going_on(partial(score_until, seed=1)), going_on(partial(score_until, seed=2)), meanwhile(edit_all):
        killed = copy_while(editing, live_server.url, path, seed=7)
    assert killed >= 3
    while scorer.rescore_batch().claimed:
        pass
    catch_up(live_server.url, path)
    assert copied(path) == table()
    assert len(table()) > CUSTOMERS / 2


def test_after_a_crash_of_the_database_it_reads_all_anew(tmp_path, live_server):
    path = tmp_path / "copy.sqlite"
    with outsider() as loader:
        loader.execute(INSERT, [*A_CUSTOMER.values(), list(range(1, 51))])
        many.analyze_many(range(1, 51))
        catch_up(live_server.url, path)
        assert copied(path) == table()
        # What a crash takes back was told already: scores are stored without waiting for the disk.
        with closing(sqlite3.connect(path, isolation_level=None)) as copy:
            copy.execute("UPDATE score SET score = 0.123")
        FeedEpoch.objects.all().delete()
    catch_up(live_server.url, path)
    assert copied(path) == table()


@needs_dumps
def test_a_restored_dump_begins_an_epoch_of_its_own(tmp_path):
    many.analyze_many(it.pk for it in make_customers(3))
    after, dump = read_changes(None, 1).next, str(tmp_path / "dump")
    subprocess.run([PG_DUMP, "-Fc", "--file", dump, url_of_test_database()], check=True)
    with scratch_database("vigilpay_test_feed") as url, psycopg.connect(url, autocommit=True) as restored:
        subprocess.run([PG_RESTORE, "--dbname", url, dump], check=True)
        values = {"transaction": 0, "change": 0, "place": 0, "limit": 10, "is_asked": True}
        assert restored.execute("SELECT replace(token::text, '-', '') FROM customers_feedepoch").fetchall() == [
            (after.token,)
        ]
        assert restored.execute(feed.READ, values).fetchall() == []
        restored.execute(feed.BEGIN_EPOCH)
        ((token, *_others),) = {row[:1] for row in restored.execute(feed.READ, values)}
        assert token != after.token
