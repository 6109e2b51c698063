"""A database whose owner, worker and application are three roles: from the first migration to a score."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.databases import address, scratch_database
from tests.factories import A_CUSTOMER
from tests.others import await_that
from tests.security.strangers import name_of
from tests.workers import running_worker

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = secrets.token_hex(8)
OWNER, WEB, WORKER, BANK = (name_of(f"vp_flow_{role}") for role in ("owner", "web", "worker", "bank"))
NAMES = ["--web", WEB, "--worker", WORKER, "--application", BANK]

pytestmark = pytest.mark.timeout(120)


ANALYZE = "from customers.scoring.scorer import analyze; print(analyze(1))"


def manage(url, *command, **environment):
    told = {**os.environ, "DATABASE_URL": url, **environment}
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture
def database():
    with scratch_database("vigilpay_test_roles") as url, psycopg.connect(url, autocommit=True) as superuser:
        superuser.execute(f"DROP ROLE IF EXISTS {OWNER}, {WEB}, {WORKER}, {BANK}")
        superuser.execute(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'")
        superuser.execute(f"ALTER DATABASE {superuser.info.dbname} OWNER TO {OWNER}")
        superuser.execute(f"GRANT CREATE ON SCHEMA public TO {OWNER}")
        try:
            yield url, superuser
        finally:
            superuser.execute(f"REASSIGN OWNED BY {OWNER} TO CURRENT_USER")
            for role in (OWNER, WEB, WORKER, BANK):
                if superuser.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None:
                    superuser.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def url_as(url, role):
    parts = conninfo_to_dict(url)
    settings = {"HOST": parts.get("host", ""), "PORT": parts.get("port", ""), "NAME": parts["dbname"]}
    return address(settings, USER=role, PASSWORD=PASSWORD)


def test_what_the_application_edits_is_scored_by_the_worker_and_by_no_other_role(database, tmp_path):
    url, superuser = database
    manage(url_as(url, OWNER), "migrate")
    superuser.execute(manage(url_as(url, OWNER), "database_roles", "--sql", *NAMES))
    for role in (WEB, WORKER, BANK):
        superuser.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
    assert f"{WORKER} may store scores" in manage(url_as(url, WEB), "database_roles", *NAMES)
    manage(url_as(url, OWNER), "check", "--database", "default")

    log = tmp_path / "run_worker.log"
    columns = ", ".join(["customer_id", *A_CUSTOMER])
    with running_worker(url_as(url, WORKER), log), psycopg.connect(url_as(url, BANK), autocommit=True) as bank:
        places = ", ".join(["%s"] * (1 + len(A_CUSTOMER)))
        for customer_id in range(1, 21):
            bank.execute(
                f"INSERT INTO customers_customer ({columns}) VALUES ({places})", [customer_id, *A_CUSTOMER.values()]
            )
        await_that(lambda: current(bank) == 20, "all are scored", seconds=60)
        bank.execute("SET vigilpay.scorer TO 'on'")
        bank.execute("UPDATE customers_customer SET age = 70")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            bank.execute("UPDATE customers_customer SET stale_since = NULL")
        await_that(lambda: current(bank) == 20, "they are scored once more", seconds=60)
    analyze = ("shell", "--no-imports", "-c", ANALYZE)
    scored = manage(url_as(url, WEB), *analyze, VIGILPAY_SCORER_DATABASE_URL=url_as(url, WORKER))
    assert 0 < float(scored) < 1
    causes = superuser.execute("SELECT cause FROM customers_scorerecord ORDER BY id DESC LIMIT 2").fetchall()
    assert causes == [("analyze",), ("edited",)]
    [(scores, editors)] = bank_sees(superuser)
    assert (scores, editors) == (1, [f"sql:{BANK}"])
    assert not re.search(r"Traceback|ERROR|CRITICAL|denied", log.read_text()), log.read_text()


def current(bank):
    return bank.execute("SELECT count(*) FROM customers_customer WHERE stale_since IS NULL").fetchone()[0]


def bank_sees(superuser):
    return superuser.execute(
        "SELECT count(DISTINCT round(churn_risk_score::numeric, 9)), array_agg(DISTINCT edited_by) "
        "FROM customers_customer WHERE age = 70"
    ).fetchall()
