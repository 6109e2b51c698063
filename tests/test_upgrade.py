"""The upgrade of a bank's database from the oldest supported commit, while customers are being edited.

That commit is 19bea91, the first that ran. Its tables are made by going back to its migrations and undoing what was
changed in one of them afterwards; a dump of the result equals one of a database that the commit itself has made.
"""

import os
import random
import secrets
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from django.db import connection

from customers.models import Customer
from customers.monitoring import audit
from tests.databases import migrated_database, name_of, scratch_database
from tests.factories import A_CUSTOMER, make_scored, no_trigger
from tests.money import value_at_risk
from tests.others import await_that, going_on, meanwhile, outsider
from tests.workers import running_cluster

ROOT = Path(__file__).resolve().parent.parent
CUSTOMERS = 300

GO_BACK = """
from django.core.management import call_command
call_command("migrate", "events", "0002", verbosity=0)
call_command("migrate", "customers", "0001", verbosity=0)
"""
AS_IT_WAS = "ALTER TABLE customers_modelrelease DROP COLUMN fingerprint"
INSERT = f"""
INSERT INTO customers_customer (customer_id, {", ".join(A_CUSTOMER)})
SELECT number, {", ".join(["%s"] * len(A_CUSTOMER))} FROM generate_series(1, {CUSTOMERS}) AS number
"""
RELEASE = "INSERT INTO customers_modelrelease (sha256, note, metadata) VALUES (%s, 'first model', '{}') RETURNING id"
SCORE = """
SELECT set_config('vigilpay.scorer', 'on', false);
UPDATE customers_customer SET churn_risk_score = 0.25, scored_version = version, scored_by_id = (
    SELECT max(id) FROM customers_modelrelease
), scored_at = now(), stale_since = NULL WHERE customer_id <= 200;
SELECT set_config('vigilpay.scorer', 'off', false);
"""
UPGRADE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("check", databases=["default"])
"""
DRAIN = """
from customers.monitoring import audit
from customers.scoring import scorer
print(sum(scorer.rescore_batch().stored for _ in range(20)), audit.audit())
"""
# As former versions have queued them, and as schedules of theirs name them.
FORMER_JOBS = (
    *(f"events.jobs.{name}" for name in ("rescore_stale", "sweep_stale", "look_at_everybody", "go_on_with_imports")),
    *(f"events.jobs.{name}" for name in ("audit_sample", "check_drift", "send_alerts", "count_overview")),
    *("events.jobs.prune_history", "customers.imports.work.work_off"),
)
QUEUE = f"""
from django_q.brokers.orm import ORM
from django_q.tasks import async_task
for job in {FORMER_JOBS!r}:
    async_task(job, broker=ORM())
"""
QUEUED = "SELECT array_agg(id) FROM django_q_ormq"
STILL_QUEUED = "SELECT count(*) FROM django_q_ormq WHERE id = ANY (%s)"
STALE = """
SELECT count(*) FROM customers_customer
WHERE stale_since IS NOT NULL OR scored_by_id <> (SELECT max(id) FROM customers_modelrelease)
"""
VALUES = "SELECT DISTINCT value_at_risk FROM customers_customer WHERE churn_risk_score IS NOT NULL"
VALID_INDEX = "SELECT count(*) FROM pg_index WHERE indexrelid = 'customer_by_value'::regclass AND indisvalid"
NOT_VALIDATED = (
    "SELECT count(*) FROM pg_constraint WHERE conrelid = 'customers_customer'::regclass AND NOT convalidated"
)
FAILED = "SELECT func, result FROM django_q_task WHERE NOT success"


class Editor:
    """Edits one customer after the other, and remembers what was committed."""

    def __init__(self, url):
        self._url = url
        self.ages = dict.fromkeys(range(1, CUSTOMERS + 1), A_CUSTOMER["age"])
        self.edits = dict.fromkeys(self.ages, 0)
        self.errors = []

    def edit_until(self, is_over):
        pick = random.Random(1)
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not is_over.wait(0.005):
                try:
                    self._edit(connection, pick.randint(1, CUSTOMERS), pick.randint(18, 92))
                except psycopg.Error as error:
                    self.errors.append(error)

    def _edit(self, connection, customer_id, age):
        changed = "UPDATE customers_customer SET age = %s WHERE customer_id = %s AND age <> %s"
        if connection.execute(changed, [age, customer_id, age]).rowcount:
            self.ages[customer_id] = age
            self.edits[customer_id] += 1


def run(url, program):
    """In a process of its own, on that database; what it prints."""
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", program]
    told = {**os.environ, "DATABASE_URL": url}
    done = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def as_it_was():
    with migrated_database("vigilpay_test_as_it_was") as url:
        run(url, GO_BACK)
        with psycopg.connect(url) as connection:
            connection.execute(AS_IT_WAS)
            connection.execute(INSERT, list(A_CUSTOMER.values()))
            connection.execute(RELEASE, ["a" * 64])
            connection.execute(SCORE)
        yield name_of(url)


@pytest.fixture
def old_database(as_it_was):
    copied = scratch_database("vigilpay_test_upgrade", template=as_it_was)
    with copied as url, psycopg.connect(url, autocommit=True) as connection:
        yield url, connection


def test_nothing_is_lost_and_everything_is_scored_or_stale_as_it_should_be(old_database):
    url, connection = old_database
    editor = Editor(url)
    with going_on(editor.edit_until):
        run(url, UPGRADE)
    assert editor.errors == []
    assert sum(editor.edits.values()) > CUSTOMERS / 10  # it did edit, all the time, however slow the machine is

    rows = connection.execute("SELECT customer_id, age, version, stale_since IS NOT NULL FROM customers_customer")
    found = {customer_id: rest for customer_id, *rest in rows}
    assert {customer_id: age for customer_id, (age, _version, _stale) in found.items()} == editor.ages
    assert {customer_id: version - 1 for customer_id, (_age, version, _stale) in found.items()} == editor.edits
    stale = {customer_id for customer_id, (_age, _version, is_stale) in found.items() if is_stale}
    assert stale == {customer_id for customer_id, edits in editor.edits.items() if edits or customer_id > 200}

    # Also of who was edited meanwhile, for no edit was of the balance.
    assert connection.execute(VALUES).fetchall() == [(value_at_risk(A_CUSTOMER["balance"], 0.25),)]

    # Columns were widened while customers were edited, and the index that has one of them is there again.
    assert count(connection, VALID_INDEX) == 1
    assert count(connection, NOT_VALIDATED) == 0
    connection.execute(
        "UPDATE customers_customer SET geography = 'São Tomé e Príncipe', balance = -1 WHERE customer_id = 1"
    )

    # Another model than that of then is in place: all are scored by it, and the history begins.
    assert run(url, DRAIN).splitlines()[-1] == f"{CUSTOMERS - 1} {audit.AuditReport(audited=CUSTOMERS - 1)}"
    assert count(connection, "SELECT count(*) FROM customers_scoringfailure WHERE reason = 'word'") == 1
    [(fingerprint,)] = connection.execute("SELECT DISTINCT fingerprint FROM customers_modelrelease WHERE sha256 ~ '^a'")
    assert len(fingerprint) == 64


def count(connection, query, values=()):
    return connection.execute(query, values).fetchone()[0]


def test_jobs_that_a_former_version_has_queued_run_and_lose_nothing(old_database, tmp_path):
    url, connection = old_database
    run(url, QUEUE)
    queued = connection.execute(QUEUED).fetchone()
    assert len(queued[0]) == len(FORMER_JOBS)
    editor = Editor(url)
    with going_on(editor.edit_until):
        run(url, UPGRADE)
        with running_cluster(url, tmp_path / "worker.log"):
            await_that(lambda: not count(connection, STILL_QUEUED, queued), "every job has run", seconds=120)
    with running_cluster(url, tmp_path / "worker.log"):
        await_that(lambda: not count(connection, STALE), "every customer is scored", seconds=120)
    assert editor.errors == []
    assert connection.execute(FAILED).fetchall() == []
    assert dict(connection.execute("SELECT customer_id, age FROM customers_customer")) == editor.ages


IN_A_HURRY = """
from django.core.management import call_command
from vigilpay.management.commands import migrate
migrate.PATIENCE, migrate.ATTEMPTS, migrate.PAUSE_SECONDS = "300ms", 3, 0.1
try:
    call_command("migrate", verbosity=0)
except migrate.CommandError as refused:
    print(refused)
"""


def test_an_open_edit_is_waited_for_with_patience_and_no_other_editor_waits_behind(old_database):
    url, connection = old_database
    applied = "SELECT array_agg(name ORDER BY name) FROM django_migrations WHERE app = 'customers'"
    editor = Editor(f"{url}&options=-c%20lock_timeout%3D5s")  # so that it fails behind a change that waits
    with psycopg.connect(url) as holder, going_on(editor.edit_until):
        holder.execute("LOCK TABLE customers_customer IN ROW EXCLUSIVE MODE")  # as an edit does
        assert run(url, IN_A_HURRY).startswith("An open edit holds a table that must change")
        assert connection.execute(applied).fetchone() == (["0001_initial"],)
        holder.rollback()
        assert run(url, IN_A_HURRY) == ""
    assert editor.errors == []
    assert sum(editor.edits.values()) > 0
    assert len(connection.execute(applied).fetchone()[0]) > 1


BEFORE_ARRAYS = """
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from customers.scoring import scorer
call_command("seed_demo", customers=40, verbosity=0)
assert scorer.rescore_batch().stored == 40
parents = MigrationLoader(connection).graph.node_map["customers", "0014_arrays_checksum"].parents
[before] = [parent.key[1] for parent in parents if parent.key[0] == "customers"]
call_command("migrate", "customers", before, verbosity=0)
"""
ASK_FOR_MODEL = """
from customers.releases.active import active_model
from customers.scoring import scorer
print(active_model()[0].unpickled, scorer.rescore_batch().claimed)
"""
RELEASES = "SELECT id, fingerprint, arrays_sha256 FROM customers_modelrelease"


@pytest.fixture
def production(monkeypatch, tmp_path):
    """For processes that are started from now on; the folder of their model is their own."""
    models = shutil.copytree(ROOT / "ml_assets", tmp_path / "models", ignore=shutil.ignore_patterns("former"))
    environment = {"VIGILPAY_ENV": "production", "SECRET_KEY": secrets.token_hex(32), "ALLOWED_HOSTS": "localhost"}
    for name, value in {**environment, "VIGILPAY_ML_ASSETS": str(models)}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.slow
def test_a_release_without_a_checksum_of_its_arrays_gets_one_and_no_row_becomes_stale(production):
    with migrated_database("vigilpay_test_arrays") as url, psycopg.connect(url, autocommit=True) as connection:
        run(url, BEFORE_ARRAYS)
        [(release, fingerprint)] = connection.execute("SELECT id, fingerprint FROM customers_modelrelease").fetchall()
        run(url, UPGRADE)
        assert connection.execute(RELEASES).fetchall() == [(release, fingerprint, "")]
        assert count(connection, STALE) == 0
        # Built from the released model.pkl once; from then on the arrays are known.
        assert run(url, ASK_FOR_MODEL).splitlines()[-1] == "True 0"
        [(same_release, same_fingerprint, contents)] = connection.execute(RELEASES).fetchall()
        assert (same_release, same_fingerprint, len(contents)) == (release, fingerprint, 64)
        assert run(url, ASK_FOR_MODEL).splitlines()[-1] == "False 0"
        assert count(connection, STALE) == 0


BEFORE_VALUES = """
from django.core.management import call_command
from customers.scoring import scorer
call_command("seed_demo", customers=40, verbosity=0)
assert scorer.rescore_batch().stored == 40
call_command("migrate", "events", "0014", verbosity=0)
call_command("migrate", "customers", "0017", verbosity=0)
"""
# As it was stored before there was a column: none has a value.
FORGET_VALUES = """
ALTER TABLE customers_customer DISABLE TRIGGER USER;
UPDATE customers_customer SET value_at_risk = NULL;
ALTER TABLE customers_customer ENABLE TRIGGER USER;
ALTER TABLE customers_customer ENABLE ALWAYS TRIGGER zzz_vigilpay_stamp;
"""
WITH_VALUES = """
SELECT customer_id, balance, churn_risk_score, value_at_risk FROM customers_customer ORDER BY customer_id
"""


@pytest.mark.slow
def test_customers_scored_before_get_the_value_of_the_balance_that_was_scored():
    with migrated_database("vigilpay_test_values") as url, psycopg.connect(url, autocommit=True) as connection:
        run(url, BEFORE_VALUES)
        connection.execute(FORGET_VALUES)
        before = {customer_id: rest for customer_id, *rest in connection.execute(WITH_VALUES)}
        edited, objector, *_others = before
        change = "UPDATE customers_customer SET {} WHERE customer_id = %s"
        connection.execute(change.format("balance = 7654321"), [edited])
        connection.execute(change.format("objected_at = now()"), [objector])
        run(url, UPGRADE)
        after = {customer_id: rest for customer_id, *rest in connection.execute(WITH_VALUES)}
        expected = {
            customer_id: [balance, score, value_at_risk(balance, score)]
            for customer_id, (balance, score, _none) in before.items()
        }
        expected[edited][0] = 7654321  # but the value is still that of the score
        expected[objector][1:] = [None, None]
        assert after == expected
        # There and back again, as often as one likes.
        run(url, "from django.core.management import call_command; call_command('migrate', 'events', '0014')")
        run(url, UPGRADE)
        assert {customer_id: rest for customer_id, *rest in connection.execute(WITH_VALUES)} == expected


@pytest.mark.django_db(transaction=True)
def test_a_customer_whom_an_open_edit_holds_gets_the_value_afterwards_and_no_other_waits(monkeypatch):
    migration = import_module("events.migrations.0015_value_at_risk")
    monkeypatch.setattr(migration, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(migration, "ATTEMPTS", 6000)
    monkeypatch.setattr(migration, "BATCH_ROWS", 3)
    customers = [make_scored() for _ in range(8)]
    expected = value_at_risk(A_CUSTOMER["balance"], customers[0].churn_risk_score)
    Customer.objects.update(balance=1)
    with no_trigger():
        Customer.objects.update(value_at_risk=None)
    filled = Customer.objects.filter(value_at_risk=expected)
    with outsider(autocommit=False) as holder:
        holder.execute(f"UPDATE customers_customer SET surname = 'Held' WHERE customer_id = {customers[4].pk}")
        with connection.cursor() as cursor:
            migration.go_through(cursor)
        assert filled.count() == len(customers) - 1
        with meanwhile(lambda: migration.fill(None, SimpleNamespace(connection=connection))):
            holder.commit()
    assert filled.count() == len(customers)
