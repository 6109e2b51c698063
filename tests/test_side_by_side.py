"""An upgrade host by host: the former code and this one at work on the same database, under running editors.

The former code is a commit of this repository. Where its history is not there, as in a shallow clone, this is skipped.
"""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from customers.monitoring import audit
from tests.databases import scratch_database
from tests.factories import A_CUSTOMER
from tests.others import await_that
from tests.test_upgrade import CUSTOMERS, DRAIN, INSERT, STALE, UPGRADE, Editor, run
from tests.workers import running_cluster

ROOT = Path(__file__).resolve().parent.parent
FORMER = "4b5e504"
GIT = ["git", "-C", str(ROOT)]

# What web pages of the former code do meanwhile: whole rows saved, and single columns.
SAVE = f"""
import time
from customers.models import Customer
ends = time.monotonic() + 4
while time.monotonic() < ends:
    for pk in range({CUSTOMERS} + 1, {CUSTOMERS} + 21):
        customer = Customer.objects.get(pk=pk)
        customer.tenure = (customer.tenure + 1) % 10
        customer.save()
        Customer.objects.filter(pk=pk).update(credit_score=500 + customer.tenure)
"""
MORE = INSERT.replace(f"(1, {CUSTOMERS})", f"({CUSTOMERS} + 1, {CUSTOMERS} + 20)")
SAVED = f"SELECT bool_and(credit_score = 500 + tenure) FROM customers_customer WHERE customer_id > {CUSTOMERS}"


@pytest.fixture(scope="module")
def former(tmp_path_factory):
    """The former code, unpacked."""
    if subprocess.run([*GIT, "cat-file", "-e", f"{FORMER}^{{commit}}"], capture_output=True).returncode:
        pytest.skip("the history of this repository is not here")
    folder = tmp_path_factory.mktemp("former")
    packed = subprocess.run([*GIT, "archive", FORMER], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=packed, check=True)
    return folder


def former_environment(url):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "COV_"))}
    return {**kept, "DATABASE_URL": url, "SECRET_KEY": "the same on all hosts " * 3}


@contextmanager
def at_work(folder, url, log, *command):
    """A command of the former code, ended with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *command],
            cwd=folder,
            env=former_environment(url),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_event_is_lost_while_both_are_at_work(former, tmp_path):
    with scratch_database("vigilpay_test_beside") as url, psycopg.connect(url, autocommit=True) as connection:
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=former, env=former_environment(url), check=True, capture_output=True)
        connection.execute(INSERT, list(A_CUSTOMER.values()))
        connection.execute(MORE, list(A_CUSTOMER.values()))

        def stale():
            return connection.execute(STALE).fetchone()[0]

        editor = Editor(url)
        with at_work(former, url, tmp_path / "former.log", "qcluster"):
            await_that(lambda: not stale(), "the former code scores", seconds=120)
            saving = at_work(former, url, tmp_path / "pages.log", "shell", "--no-imports", "-c", SAVE)
            with editor.at_work(), saving as pages:
                run(url, UPGRADE)
                with running_cluster(url, tmp_path / "worker.log", SECRET_KEY=former_environment(url)["SECRET_KEY"]):
                    assert pages.wait(60) == 0, (tmp_path / "pages.log").read_text()
        with running_cluster(url, tmp_path / "worker.log"):
            await_that(lambda: not stale(), "every customer is scored", seconds=60)
        assert editor.errors == []
        assert connection.execute(SAVED).fetchone() == (True,)
        ages = dict(connection.execute("SELECT customer_id, age FROM customers_customer"))
        assert {pk: age for pk, age in ages.items() if pk <= CUSTOMERS} == editor.ages
        every = f"{audit.AuditReport(audited=CUSTOMERS + 20)}"
        assert run(url, DRAIN).splitlines()[-1].endswith(every)
