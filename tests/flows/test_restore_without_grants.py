"""After ``pg_restore --no-acl --no-owner`` every role may execute every function, and none has a right on a table."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from events.triggers.definitions import TRIGGERS
from tests.databases import migrated_database, scratch_database
from tests.dumps import PG_DUMP, PG_RESTORE, needs_dumps
from tests.factories import A_CUSTOMER
from tests.security.strangers import PASSWORD, name_of

ROOT = Path(__file__).resolve().parents[2]
SCORE = "from customers.scoring.scorer import rescore_batch; print(rescore_batch())"
BANK = name_of("vp_restored")
GIVEN_BY_THE_BANK = f"GRANT SELECT, INSERT, UPDATE, DELETE ON customers_customer TO {BANK}"

pytestmark = needs_dumps


def manage(url, *command):
    told = {**os.environ, "DATABASE_URL": url}
    return subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=told, capture_output=True, text=True, check=False
    )


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def restored(tmp_path):
    """A customer with a score, in a database restored without owners and grants; and a login of the bank's."""
    dump = tmp_path / "dump"
    with migrated_database("vigilpay_test_kept") as url:
        with psycopg.connect(url, autocommit=True) as editor:
            columns, places = ", ".join(A_CUSTOMER), ", ".join(["%s"] * len(A_CUSTOMER))
            editor.execute(
                f"INSERT INTO customers_customer (customer_id, {columns}) VALUES (1, {places})", [*A_CUSTOMER.values()]
            )
        assert "stored=1" in manage(url, "shell", "--no-imports", "-c", SCORE).stdout
        run(PG_DUMP, "--format=custom", f"--file={dump}", url)
    with scratch_database("vigilpay_test_bare") as url, psycopg.connect(url, autocommit=True) as owner:
        run(PG_RESTORE, "-x", "-O", "--dbname", url, str(dump))
        owner.execute(f"DROP ROLE IF EXISTS {BANK}; CREATE ROLE {BANK} LOGIN PASSWORD '{PASSWORD}'")
        with psycopg.connect(url, user=BANK, password=PASSWORD, autocommit=True) as bank:
            yield url, owner, bank
        owner.execute(f"DROP OWNED BY {BANK}; DROP ROLE {BANK}")


def test_no_stranger_gains_by_it_and_the_triggers_are_mended(restored):
    url, owner, bank = restored
    for trigger in (trigger for trigger in TRIGGERS if trigger.with_rights_of_owner):
        bank.execute("CREATE TEMP TABLE gone (customer_id bigint)")
        bank.execute(
            f"CREATE TRIGGER t AFTER INSERT ON gone FOR EACH {trigger.level} EXECUTE FUNCTION {trigger.name}()"
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="belongs to"):
            bank.execute("INSERT INTO gone VALUES (1)")
        bank.execute("DROP TABLE gone")
    assert "every role may execute" in manage(url, "check", "--database", "default").stderr

    owner.execute(GIVEN_BY_THE_BANK)
    before = owner.execute("SELECT churn_risk_score, version FROM customers_customer").fetchone()
    bank.execute("SET vigilpay.scorer TO 'on'")
    bank.execute("UPDATE customers_customer SET churn_risk_score = 0.0123, version = 7")
    assert owner.execute("SELECT churn_risk_score, version FROM customers_customer").fetchone() == before

    assert manage(url, "install_triggers").returncode == 0
    assert manage(url, "check", "--database", "default").returncode == 0
    bank.execute("CREATE TEMP TABLE gone (customer_id bigint)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="for function vigilpay_leave"):
        bank.execute("CREATE TRIGGER t AFTER INSERT ON gone EXECUTE FUNCTION vigilpay_leave()")
