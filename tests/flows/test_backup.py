"""Back up under running editors, restore, and all becomes current: docs/maintenance.md."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import psycopg
import pytest

from customers.monitoring import audit
from tests.databases import migrated_database, scratch_database
from tests.dumps import PG_DUMP, PG_RESTORE, needs_dumps
from tests.factories import A_CUSTOMER
from tests.others import await_that, going_on
from tests.workers import running_cluster

ROOT = Path(__file__).resolve().parents[2]
CUSTOMERS = 200
INSERT = f"""
INSERT INTO customers_customer (customer_id, {", ".join(A_CUSTOMER)})
SELECT number, {", ".join(["%s"] * len(A_CUSTOMER))} FROM generate_series(1, {CUSTOMERS}) AS number
"""
AGE_ALL = "UPDATE customers_customer SET age = 18 + (age + 7) %% 70 WHERE customer_id %% 10 = %s"
STALE = """
SELECT count(*) FROM customers_customer
WHERE stale_since IS NOT NULL OR scored_by_id IS NULL
   OR scored_by_id <> (SELECT max(id) FROM customers_modelrelease)
"""
AUDIT = "from customers.monitoring import audit; print(audit.audit())"

pytestmark = needs_dumps


def manage(url, *command):
    told = {**os.environ, "DATABASE_URL": url}
    program = [sys.executable, "manage.py", *command]
    done = subprocess.run(program, cwd=ROOT, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


def nothing_is_stale(url):
    def ask():
        with psycopg.connect(url) as looker:
            return looker.execute(STALE).fetchone() == (0,)

    return ask


def edit_until(is_over, url):
    """One tenth of the customers after another, each in a transaction of its own."""
    with psycopg.connect(url, autocommit=True) as editor:
        number = 0
        while not is_over.wait(0.01):
            editor.execute(AGE_ALL, [number % 10])
            number += 1


@pytest.fixture(scope="module")
def dump(tmp_path_factory):
    """Taken while customers were being edited and scored: some were stale at that moment."""
    folder = tmp_path_factory.mktemp("backup")
    with migrated_database("vigilpay_test_backup") as url:
        with psycopg.connect(url) as connection:
            connection.execute(INSERT, list(A_CUSTOMER.values()))
        with running_cluster(url, folder / "log"):
            await_that(nothing_is_stale(url), "all are scored", seconds=120)
            with going_on(partial(edit_until, url=url)):
                run(PG_DUMP, "-Fc", "--file", str(folder / "dump"), url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE customers_customer SET age = 30 WHERE customer_id <= 50")
        run(PG_DUMP, "-Fc", "--file", str(folder / "stale"), url)
    return folder


@pytest.mark.parametrize(
    ("name", "options"), [("dump", ("-x", "-O")), ("stale", ())], ids=["without owners and rights", "stale, as it was"]
)
def test_a_restored_database_ends_current_and_notices_edits(dump, name, options, tmp_path):
    with scratch_database("vigilpay_test_restored") as url:
        run(PG_RESTORE, *options, "--dbname", url, str(dump / name))
        if "-x" in options:  # PostgreSQL lets every role execute a function unless told otherwise
            manage(url, "install_triggers")
        assert "no issues" in manage(url, "check", "--database", "default")
        with running_cluster(url, tmp_path / "log"):
            await_that(nothing_is_stale(url), "what was stale in the dump is scored", seconds=120)
            with psycopg.connect(url, autocommit=True) as editor:
                editor.execute(AGE_ALL, [3])
            await_that(nothing_is_stale(url), "what is edited afterwards is scored", seconds=120)
        assert manage(url, "shell", "--no-imports", "-c", AUDIT).strip() == f"{audit.AuditReport(audited=CUSTOMERS)}"
