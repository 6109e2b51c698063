"""Role, database and server may set what they like for those who connect: our sessions are as we need them."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from django.db import connection, connections

from tests.customers.import_export.csv_files.texts import rows, write
from tests.databases import scratch_database
from tests.others import outsider, together
from vigilpay import env
from vigilpay.sessions import PINNED

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = {
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "America/St_Johns",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "bytea_output": "escape",
    "default_transaction_deferrable": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "exit_on_error": "on",
    "extra_float_digits": "-15",
    "quote_all_identifiers": "on",
    "row_security": "off",
    "transform_null_equals": "on",
    "idle_in_transaction_session_timeout": "1ms",
    "idle_session_timeout": "1s",
    "lock_timeout": "1ms",
    "statement_timeout": "100ms",
    "lc_messages": "C",
}
WORK = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "vigilpay.settings"
django.setup()
from customers.import_export.export import csv_of
from customers.models import Customer, ScoreRecord
from customers.scoring import scorer
from events import jobs
assert jobs.rescore_stale() == 5, Customer.objects.values()
assert Customer.objects.filter(stale_since=None).count() == 5
record = ScoreRecord.objects.latest("id")
score = scorer.analyze(record.customer_id)
assert record.score == Customer.objects.get(pk=record.customer_id).churn_risk_score == score
print("".join(csv_of(Customer.objects.all())))
"""


@pytest.fixture(scope="module")
def hostile():
    """The address of a database that sets all of it."""
    with scratch_database("vigilpay_test_sessions") as url:
        with psycopg.connect(url, autocommit=True) as owner:
            name = owner.info.dbname
            for setting, value in HOSTILE.items():
                owner.execute(f"ALTER DATABASE {name} SET {setting} TO '{value}'")
        yield url


def run(url, *command):
    told = {**os.environ, "DATABASE_URL": url, "VIGILPAY_DRAIN_SECONDS": "2"}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_database_is_made_checked_filled_scored_and_exported(hostile, tmp_path):
    run(hostile, "manage.py", "migrate")
    assert "no issues" in run(hostile, "manage.py", "check", "--database", "default")
    said = run(hostile, "manage.py", "import_customers", str(write(tmp_path / "a.csv", *rows(5))))
    assert "5 new" in said
    assert len(run(hostile, "-c", WORK).strip().splitlines()) == 6


@pytest.fixture
def settings_of_this_role():
    """Set these for this role in this database, for connections to come."""
    changed = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT format('%I IN DATABASE %I', current_user, current_database())")
        [where] = cursor.fetchone()

    def alter(**values):
        with outsider() as superuser:
            for name, value in values.items():
                changed.append(name)
                superuser.execute(f"ALTER ROLE {where} SET {name} TO '{value}'")

    yield alter
    with outsider(options="-c default_transaction_read_only=off -c statement_timeout=0") as superuser:
        for name in changed:
            superuser.execute(f"ALTER ROLE {where} RESET {name}")


def shown(*names):
    """By a connection of Django's own that is made for it."""

    def ask():
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))
            return dict(zip(names, cursor.fetchone(), strict=True))

    [values] = together(ask)
    return values


@pytest.mark.django_db(transaction=True)
def test_a_new_connection_has_what_we_rely_on_and_leaves_what_is_a_choice(settings_of_this_role, monkeypatch):
    choices = {"search_path": "bank", "synchronous_commit": "off", "enable_seqscan": "off"}
    settings_of_this_role(**HOSTILE, **choices)
    relied_on = {name: value for name, value in PINNED.items() if name in HOSTILE}
    assert shown(*relied_on) == relied_on
    assert shown(*choices) == choices
    said = {
        **connection.settings_dict["OPTIONS"],
        "options": "-c lock_timeout=7s --statement_timeout=8s -cDateStyle=SQL",
    }
    monkeypatch.setitem(connections.settings["default"], "OPTIONS", said)
    # What the address says stays, but the driver can read no other date than this.
    assert shown("lock_timeout", "statement_timeout", "DateStyle") == {
        "lock_timeout": "7s",
        "statement_timeout": "8s",
        "DateStyle": PINNED["DateStyle"],
    }


@pytest.mark.django_db(transaction=True)
def test_of_several_hosts_the_one_that_answers_and_takes_writes_is_used(monkeypatch):
    """Nothing listens on the first one's port."""
    there = connection.settings_dict
    url = f"postgresql://127.0.0.1:1,{quote(there['HOST'], safe='')}:{there['PORT']}/x?target_session_attrs=read-write"
    found = env.database_url(url)
    for name in ("HOST", "PORT", "OPTIONS"):
        monkeypatch.setitem(connections.settings["default"], name, found[name])
    assert shown("transaction_read_only") == {"transaction_read_only": "off"}
