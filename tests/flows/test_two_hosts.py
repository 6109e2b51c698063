"""A bank of five countries of its own, in production on two hosts, one without any model file: from its CSV to a model
of its own, released by two persons, to scores on both hosts, and back. No model file is copied.
"""

import csv
import os
import random
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from customers.ml_service import load_forest
from tests.databases import scratch_database
from tests.others import await_that
from tests.production import SETTINGS

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).resolve().parents[2]
CODE = ("customers", "events", "vigilpay", "manage.py")
NUMBER = 300
COUNTRIES = ("Italy", "Senegal", "India", "Peru", "Côte d'Ivoire")
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


def write_customers(path):
    """As the bank's own system writes them: with headers of its own, overdrafts, and who has left."""
    pick = random.Random(16)
    header = ("CustomerId", "Surname", "CreditScore", "Land", "Gender", "Age", "Tenure", "Kontostand")
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([*header, "NumOfProducts", "HasCrCard", "IsActiveMember", "Exited"])
        for number in range(1, NUMBER + 1):
            age, country = pick.randint(18, 80), COUNTRIES[number % len(COUNTRIES)]
            left = int(age + pick.gauss(0, 10) + 20 * (country == "Peru") > 60)
            balance = f"{pick.gauss(20_000, 20_000):.2f}"
            gender, tenure = pick.choice(("Female", "Male")), pick.randint(0, 10)
            figures = (pick.randint(350, 850), country, gender, age, tenure, balance)
            answers = (pick.randint(1, 3), pick.randint(0, 1), pick.randint(0, 1), left)
            table.writerow([number, f"Name{number}", *figures, *answers])
    return path


def await_scores(url, sha256, where, scored=NUMBER):
    def all_are_scored():
        current, number, active = ask(url, SCORED)
        return current == scored and number == NUMBER and active == sha256

    await_that(all_are_scored, f"{scored} are scored by {sha256[:12]} {where}", PATIENCE)


def await_words(url):
    """All are stored, and wait for a model that knows their country: as one group for each."""
    waiting = "SELECT count(*) FILTER (WHERE reason = 'word'), count(*) FROM customers_scoringfailure"
    await_that(lambda: ask(url, waiting) == (NUMBER, NUMBER), "all wait for a model that knows their country", PATIENCE)


def test_from_a_csv_to_a_release_by_two_persons_to_scores_on_both(hosts, url, tmp_path):
    first, second = hosts
    shipped = load_forest(ROOT / "ml_assets" / "model.pkl")
    table = write_customers(tmp_path / "customers.csv")
    first.manage("migrate", "-v0")
    first.shell(ACCOUNTS)

    with first.worker():  # a fresh database takes the model that it finds, which knows none of the countries
        await_that(lambda: ask(url, SCORED)[2] == shipped.sha256, "the shipped model is active", PATIENCE)
        columns = ("--map", "Land=geography", "--map", "Kontostand=balance", "--save-mapping", "core banking")
        said = second.manage("import_customers", table, *columns)
        assert "Italy: 60 rows" in said
        await_words(url)
        assert ask(url, "SELECT count(*) FROM customers_customer WHERE churn_risk_score IS NOT NULL") == (0,)
        assert "60 customers wait for a model that knows the country Italy." in first.manage("freshness")

    # On the host without any model file.
    folder = tmp_path / "trained"
    second.manage("train_model", table, "--mapping", "core banking", "--trees", "10", "--output", folder)
    ours = load_forest(folder / "model.pkl")
    with second.worker():
        said = second.manage("release_model", folder / "model.pkl", "--by", "anna", "--note", "our own", "--yes")
        assert "It is not active" in said
        assert ask(url, SCORED)[2] == shipped.sha256
        first.shell(APPROVE)
        await_scores(url, ours.sha256, "on the second host")
        assert ask(url, "SELECT count(*) FROM customers_scoringfailure") == (0,)

    with first.worker():  # whose ml_assets/ still holds the shipped model
        edit(url)
        await_scores(url, ours.sha256, "on the first host")

    with second.worker():
        assert "Going back to release 1" in first.manage("release_model", "--rollback", "--by", "anna")
        await_scores(url, shipped.sha256, "after the rollback", scored=0)
        await_words(url)
        assert "Going back to release 2" in second.manage("release_model", "--rollback", "--to", "2", "--by", "ben")
        await_scores(url, ours.sha256, "after the way back")

    columns = "approval, proposed_by, approved_by"
    with psycopg.connect(url) as psql:
        releases = psql.execute(f"SELECT {columns} FROM customers_modelrelease ORDER BY id").fetchall()
        wrong = psql.execute(
            "SELECT count(*) FROM customers_scorerecord AS record WHERE NOT EXISTS "
            "(SELECT FROM customers_modelrelease WHERE id = record.scored_by_id)"
        ).fetchone()
    assert releases == [
        *(("first", None, None), ("two persons", "anna", "ben")),
        *(("rollback", "anna", None), ("rollback", "ben", None)),
    ]
    assert wrong == (0,)
    assert not list((tmp_path / "checkout").rglob("*.pkl"))
    assert "No customer can be scored" not in first.log.read_text() + second.log.read_text()
