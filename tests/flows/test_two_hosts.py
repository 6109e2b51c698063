"""Two hosts of a bank in production, one without any model file: from a CSV to a release by two persons to scores on
both, and back. No model file is copied.
"""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from customers.ml_service import load_forest
from tests.customers.import_export.csv_files.texts import HEADER, rows, text_of
from tests.databases import scratch_database
from tests.others import await_that
from tests.production import SETTINGS

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).resolve().parents[2]
CODE = ("customers", "events", "vigilpay", "manage.py")
NUMBER = 40
PATIENCE = 240  # a start takes seconds, on a machine that does other things many

SCORED = """
SELECT count(*) FILTER (WHERE stale_since IS NULL AND scored_by_id = (SELECT max(id) FROM customers_modelrelease)),
    count(*), (SELECT sha256 FROM customers_modelrelease ORDER BY id DESC LIMIT 1)
FROM customers_customer
"""

ACCOUNTS = """
from django.contrib.auth.models import User
for name in ("anna", "ben"):
    User.objects.create_superuser(name)
"""
# In a browser session of ben's, on a web server of this host.
APPROVE = """
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from customers.models import ModelProposal
# None are collected here.
settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
client = Client(HTTP_HOST="churn.example.org")
client.force_login(User.objects.get(username="ben"), "django.contrib.auth.backends.ModelBackend")
proposal = ModelProposal.objects.filter(state="open").latest("id")
page = f"/admin/customers/modelproposal/{proposal.pk}/change/"
assert proposal.fingerprint in client.get(page, secure=True).content.decode()
client.post(page, {"shown": proposal.fingerprint, "reason": "", "_approve": "Approve"}, secure=True)
proposal.refresh_from_db()
assert proposal.state == "approved", proposal.state
"""


class Host:
    """A checkout of the code, with its own settings, on the common database."""

    def __init__(self, folder, url, log):
        self.folder, self.log = folder, log
        self.environment = {**os.environ, **SETTINGS, "DATABASE_URL": url, "VIGILPAY_MODEL_CACHE": str(log) + ".cache"}

    def manage(self, *command):
        program = [sys.executable, "manage.py", *map(str, command)]
        done = subprocess.run(program, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def shell(self, code):
        return self.manage("shell", "--no-imports", "-c", code)

    @contextmanager
    def worker(self):
        command = [sys.executable, "manage.py", "run_worker"]
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
            try:
                yield
            finally:
                process.terminate()
                process.wait(60)


@pytest.fixture
def url():
    with scratch_database("vigilpay_test_two_hosts") as url:
        yield url


@pytest.fixture
def hosts(url, tmp_path):
    """The first has the shipped model in ml_assets/, the second has no file of any model."""
    other = tmp_path / "checkout"
    other.mkdir()
    for name in CODE:  # with the kernels that were compiled already
        path = ROOT / name
        shutil.copytree(path, other / name) if path.is_dir() else shutil.copy2(path, other)
    return Host(ROOT, url, tmp_path / "first.log"), Host(other, url, tmp_path / "second.log")


def ask(url, statement, *values):
    with psycopg.connect(url) as psql:
        return psql.execute(statement, values).fetchone()


def edit(url):
    with psycopg.connect(url) as psql:
        psql.execute("UPDATE customers_customer SET age = 18 + (age + 1) % 60")


def await_scores(url, sha256, where):
    def all_are_scored():
        scored, number, active = ask(url, SCORED)
        return scored == number == NUMBER and active == sha256

    await_that(all_are_scored, f"all are scored by {sha256[:12]} {where}", PATIENCE)


def test_from_a_csv_to_a_release_by_two_persons_to_scores_on_both(hosts, url, tmp_path, another_forest):
    first, second = hosts
    shipped, ours = load_forest(ROOT / "ml_assets" / "model.pkl"), load_forest(another_forest)
    table = tmp_path / "customers.csv"
    table.write_text(text_of([HEADER, *rows(NUMBER)]))
    first.manage("migrate", "-v0")
    first.shell(ACCOUNTS)

    with first.worker():  # a fresh database takes the model that it finds
        second.manage("import_customers", table)
        await_scores(url, shipped.sha256, "on the first host")

    with second.worker():  # alone, and without any file
        edit(url)
        await_scores(url, shipped.sha256, "on the second host")
        said = second.manage("release_model", another_forest, "--by", "anna", "--note", "our own", "--yes")
        assert "It is not active" in said
        assert ask(url, SCORED)[2] == shipped.sha256
        first.shell(APPROVE)
        await_scores(url, ours.sha256, "on the second host")

    with first.worker():  # whose ml_assets/ still holds the shipped model
        edit(url)
        await_scores(url, ours.sha256, "on the first host")

    with second.worker():
        assert "Going back to release 1" in first.manage("release_model", "--rollback", "--by", "anna")
        await_scores(url, shipped.sha256, "after the rollback")

    columns = "approval, proposed_by, approved_by"
    with psycopg.connect(url) as psql:
        releases = psql.execute(f"SELECT {columns} FROM customers_modelrelease ORDER BY id").fetchall()
        wrong = psql.execute(
            "SELECT count(*) FROM customers_scorerecord AS record WHERE NOT EXISTS "
            "(SELECT FROM customers_modelrelease WHERE id = record.scored_by_id)"
        ).fetchone()
    assert releases == [("first", None, None), ("two persons", "anna", "ben"), ("rollback", "anna", None)]
    assert wrong == (0,)
    assert not list((tmp_path / "checkout").rglob("*.pkl"))
    assert "No customer can be scored" not in first.log.read_text() + second.log.read_text()
