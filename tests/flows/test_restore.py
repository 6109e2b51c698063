"""A worker outlives the restore of an older dump, after which another release gets an id that it knows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from customers.ml_service import load_forest
from tests.conftest import SHIPPED
from tests.databases import migrated_database, scratch_database
from tests.dumps import PG_DUMP, PG_RESTORE, needs_dumps
from tests.factories import A_CUSTOMER
from tests.others import await_that
from tests.workers import running_cluster

ROOT = Path(__file__).resolve().parents[2]
SEEN = "SELECT count(*) FILTER (WHERE scored_by_id = %s AND stale_since IS NULL), count(*) FROM customers_customer"

pytestmark = needs_dumps


def manage(url, *command, **environment):
    told = {**os.environ, "DATABASE_URL": url, **environment}
    subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=told, check=True, capture_output=True)


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


def add_customers(url, first, number):
    columns = ", ".join(["customer_id", *A_CUSTOMER])
    places = ", ".join(["%s"] * (1 + len(A_CUSTOMER)))
    with psycopg.connect(url) as editor, editor.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO customers_customer ({columns}) VALUES ({places})",
            [[first + i, *A_CUSTOMER.values()] for i in range(number)],
        )


def all_are_scored_by(url, release):
    def ask():
        with psycopg.connect(url) as looker:
            scored, customers = looker.execute(SEEN, [release]).fetchone()
        return scored == customers

    return ask


def restore_with_another_release(dump, url, path):
    """The database of before, in which a host without files has released this model, in place of the present one."""
    with scratch_database("vigilpay_test_restored") as draft:
        run(PG_RESTORE, "--dbname", draft, str(dump))
        manage(draft, "release_model", str(path), "--yes", VIGILPAY_ML_ASSETS="/nowhere")
        with psycopg.connect(draft) as other_host:
            (release,) = other_host.execute("SELECT max(id) FROM customers_modelrelease").fetchone()
            (of_draft,) = other_host.execute("SELECT current_database()").fetchone()
        with psycopg.connect(url) as present:
            (name,) = present.execute("SELECT current_database()").fetchone()
        maintenance = psycopg.conninfo.make_conninfo(url, dbname="postgres")
        with psycopg.connect(maintenance, autocommit=True) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
            server.execute(f"ALTER DATABASE {of_draft} RENAME TO {name}")
    return release


@pytest.mark.timeout(120)
def test_its_model_is_never_taken_for_the_one_that_got_the_id(tmp_path, another_forest, third_forest):
    assets, log, dump = tmp_path / "ml_assets", tmp_path / "log", tmp_path / "dump"
    assets.mkdir()
    shutil.copy(another_forest, assets / "model.pkl")
    with migrated_database("vigilpay_test_restore") as url:
        add_customers(url, 1, 3)
        with running_cluster(url, log, VIGILPAY_ML_ASSETS=str(assets)):
            await_that(all_are_scored_by(url, 1), "the first model scores")
            run(PG_DUMP, "-Fc", "--file", str(dump), url)
            shutil.copy(third_forest, assets / "model.pkl")
            add_customers(url, 11, 50)
            await_that(all_are_scored_by(url, 2), "the second model scores")
            forest = load_forest(SHIPPED / "model.pkl")
            assert restore_with_another_release(dump, url, SHIPPED / "model.pkl") == 2
            add_customers(url, 21, 50)
            # The second model's file lies there still. It came before this release, whose model the database holds.
            await_that(all_are_scored_by(url, 2), "the model of the release that got the id scores")
            with psycopg.connect(url) as looker:
                scores = looker.execute("SELECT DISTINCT churn_risk_score FROM customers_customer").fetchall()
    assert scores == [(pytest.approx(forest.predict_one(A_CUSTOMER), abs=1e-12),)]
