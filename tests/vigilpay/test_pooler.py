"""Behind pgbouncer in transaction mode web pages work, and the worker says that it can't."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from events.worker import pooler
from events.worker.pooler import shares_sessions
from tests.databases import migrated_database
from tests.factories import A_CUSTOMER
from tests.poolers import needs_pgbouncer, pgbouncer
from vigilpay import env

ROOT = Path(__file__).resolve().parents[2]
pytestmark = needs_pgbouncer

# What a web server's process does; a second client of the pooler's gets in between whenever it can.
WEB = """
import json, os, psycopg
import vigilpay.wsgi
from django.conf import settings
from django.test import Client
from customers.import_export import export
from customers.models import Customer

def pages_of(staff):
    yield staff.get("/admin/customers/customer/")
    yield staff.get("/admin/customers/customer/1/change/")
    yield staff.get("/customers/analyze/1/")
    yield staff.post("/customers/what-if/", {"customer_id": 1, "changes": {"age": 50}}, content_type="application/json")
    yield staff.get("/events/freshness/")

from django.contrib.auth import get_user_model
settings.ALLOWED_HOSTS = ["testserver"]
staff = Client()
staff.force_login(get_user_model().objects.create_superuser("staff"))
codes = [page.status_code for page in pages_of(staff)]

export.FETCH_ROWS = 2
lines, sessions = [], set()
with psycopg.connect(os.environ["DATABASE_URL"]) as other:
    for piece in export.csv_of(Customer.objects.riskiest_first()):
        lines += piece.splitlines()
        # The session that the export has just used is another client's for the time of the next piece, or free again.
        other.rollback()
        if len(sessions) < 3:
            sessions.add(other.execute("SELECT pg_backend_pid()").fetchone()[0])
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
    left = [other.execute(f"SHOW {name}").fetchone()[0] for name in ("statement_timeout", "lock_timeout")]
print(json.dumps({"codes": codes, "lines": len(lines), "left": left, "port": settings.DATABASES["default"]["PORT"]}))
"""


@pytest.fixture(scope="module")
def url():
    with migrated_database("vigilpay_test_pooler") as url:
        columns = ", ".join(["customer_id", *A_CUSTOMER])
        places = ", ".join(["%s"] * (1 + len(A_CUSTOMER)))
        with psycopg.connect(url) as editor, editor.cursor() as cursor:
            statement = f"INSERT INTO customers_customer ({columns}) VALUES ({places})"
            cursor.executemany(statement, [[1 + i, *A_CUSTOMER.values()] for i in range(9)])
        yield url


@pytest.fixture(scope="module")
def pooled(url):
    with pgbouncer(url) as pooled:
        yield pooled


def run(*command, fails=False, **environment):
    told = {**os.environ, **environment}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=told, capture_output=True, text=True, timeout=60)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done


@pytest.fixture
def seen_from(monkeypatch):
    monkeypatch.setattr(pooler, "PATIENCE_SECONDS", 1.0)

    def ask(url):
        for name, value in env.database_url(url).items():
            monkeypatch.setitem(connections.settings["default"], name, value)
        return shares_sessions()

    return ask


def settings_left_by(pooled):
    """In all sessions that the pooler has, as another client of it finds them."""
    names = ("synchronous_commit", "statement_timeout", "lock_timeout", "default_transaction_isolation", "DateStyle")
    clients = [psycopg.connect(pooled) for _ in range(5)]
    try:
        return {tuple(client.execute(f"SHOW {name}").fetchone()[0] for name in names) for client in clients}
    finally:
        for client in clients:
            client.close()


@pytest.mark.parametrize("command", ["run_worker", "qcluster"])
def test_the_worker_refuses_it_by_name_and_leaves_nothing_there(pooled, command):
    before = settings_left_by(pooled)
    done = run("manage.py", command, fails=True, DATABASE_URL=pooled)
    assert "pooler in transaction mode" in done.stderr
    assert "VIGILPAY_DIRECT_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert settings_left_by(pooled) == before


@pytest.mark.parametrize(
    ("mode", "sessions"), [("transaction", 1), ("transaction", 2), ("transaction", 10), ("statement", 10)]
)
def test_a_pooler_of_any_size_is_known(url, seen_from, mode, sessions):
    with pgbouncer(url, mode=mode, sessions=sessions) as pooled:
        assert seen_from(pooled)


@pytest.mark.parametrize("sessions", [1, 10])
def test_one_that_gives_each_client_its_session_is_none(url, seen_from, sessions):
    with pgbouncer(url, mode="session", sessions=sessions) as pooled:
        assert not seen_from(pooled)


def test_postgresql_itself_is_none(url, seen_from):
    assert not seen_from(url)


def test_web_pages_work_and_leave_nothing_to_other_clients(url, pooled):
    done = run("-c", WEB, DATABASE_URL=pooled, VIGILPAY_DIRECT_DATABASE_URL=url, VIGILPAY_API_LOGIN="0")
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["codes"] == [200] * 5
    assert found["lines"] == 10
    assert found["left"] == ["0", "0"]
    assert f":{found['port']}/" in pooled  # a page goes by the pooler


def test_commands_go_by_the_direct_address(url, pooled):
    both = {"DATABASE_URL": pooled, "VIGILPAY_DIRECT_DATABASE_URL": url}
    code = (
        "import django; django.setup(); from django.conf import settings; print(settings.DATABASES['default']['PORT'])"
    )
    port = run("-c", code, DJANGO_SETTINGS_MODULE="vigilpay.settings", **both).stdout.strip()
    assert f":{port}/" not in pooled
    assert "no issues" in run("manage.py", "check", "--database", "default", **both).stdout
