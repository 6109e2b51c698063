"""Set-ups that would lose edits are found before they do."""

import re
from importlib import import_module
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import ProgrammingError, connection

from customers.models import Customer
from events.checks import (
    broker_listens,
    drains_fit_between_a_lease_and_a_stall,
    the_stamp_is_last,
    triggers_are_as_declared,
)
from events.triggers.definitions import ARRIVED, EDITED, GUARD, RELEASED, STAMP, TRIGGERS
from events.triggers.sql import CUSTOMERS, ENABLE
from tests.factories import make_customer, make_scored

pytestmark = pytest.mark.django_db

SHADOW = import_module("events.migrations.0022_departures_and_shadow_scores")


def sql(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def errors():
    return triggers_are_as_declared(databases=["default"])


def said():
    return " ".join(error.msg for error in errors())


# A wrong trigger that still bears the right comment, as a careless hand leaves it.
ALTERATIONS = {
    "another body": f"""CREATE OR REPLACE FUNCTION {STAMP.name}() RETURNS trigger LANGUAGE plpgsql
                        AS $$BEGIN RETURN NEW; END$$""",
    "another condition": f"""CREATE OR REPLACE TRIGGER {STAMP.name} BEFORE UPDATE OF age ON {CUSTOMERS} FOR EACH ROW
                             WHEN (OLD.age IS DISTINCT FROM NEW.age AND NEW.age > 60)
                             EXECUTE FUNCTION {STAMP.name}()""",
    "fewer columns": f"""CREATE OR REPLACE TRIGGER {STAMP.name} BEFORE UPDATE OF age ON {CUSTOMERS}
                         FOR EACH ROW EXECUTE FUNCTION {STAMP.name}()""",
    "fewer events": f"""CREATE OR REPLACE TRIGGER {RELEASED.name} AFTER INSERT ON {RELEASED.table}
                        FOR EACH STATEMENT EXECUTE FUNCTION {RELEASED.name}()""",
    "no condition at all": f"""CREATE OR REPLACE TRIGGER {GUARD.name} BEFORE UPDATE ON {CUSTOMERS} FOR EACH ROW
                               EXECUTE FUNCTION {GUARD.name}()""",
    "another function": f"""CREATE FUNCTION elsewhere() RETURNS trigger LANGUAGE plpgsql
                            AS $${STAMP.body.replace("@schema@.", "")}$$;
                            DROP TRIGGER {STAMP.name} ON {CUSTOMERS};
                            CREATE TRIGGER {STAMP.name} BEFORE UPDATE OF age ON {CUSTOMERS} FOR EACH ROW
                            EXECUTE FUNCTION elsewhere();
                            COMMENT ON TRIGGER {STAMP.name} ON {CUSTOMERS} IS '{STAMP.fingerprint()}'""",
}


def test_the_triggers_that_migrate_installed_are_those_declared():
    assert errors() == []


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.name)
def test_a_missing_trigger_is_an_error(trigger):
    sql(f"DROP TRIGGER {trigger.name} ON {trigger.table}")
    [error] = errors()
    assert (error.id, error.msg) == ("events.E001", f"Trigger {trigger.name} on {trigger.table} is missing.")
    assert "install_triggers" in error.hint


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.name)
@pytest.mark.parametrize("how", ["DISABLE", "ENABLE", "ENABLE REPLICA", "ENABLE ALWAYS"])
def test_a_trigger_that_does_not_fire_when_it_should_is_an_error_and_repaired(trigger, how):
    sql(f"ALTER TABLE {trigger.table} {how} TRIGGER {trigger.name}")
    if how == ENABLE[trigger.fires]:
        assert errors() == []
        return
    [error] = errors()
    assert error.id == "events.E001"
    assert ("is disabled" if how == "DISABLE" else "fires") in error.msg
    install()
    assert errors() == []


def test_after_a_load_with_triggers_disabled_they_no_longer_fire_where_changes_are_replicated():
    """``pg_restore --disable-triggers`` enables them as ordinary ones again."""
    sql(f"ALTER TABLE {CUSTOMERS} DISABLE TRIGGER ALL; ALTER TABLE {CUSTOMERS} ENABLE TRIGGER ALL")
    assert len(errors()) == 5
    install()
    assert errors() == []


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_an_altered_trigger_is_an_error(alteration):
    sql(ALTERATIONS[alteration])
    [error] = errors()
    assert error.id == "events.E001"
    assert "is not the one declared" in error.msg


def test_every_fault_is_named():
    sql(f"DROP TRIGGER {GUARD.name} ON {CUSTOMERS}")
    sql(f"ALTER TABLE {CUSTOMERS} DISABLE TRIGGER {STAMP.name}")
    assert GUARD.name in said()
    assert STAMP.name in said()


def test_manage_check_fails_on_it():
    sql(f"DROP TRIGGER {STAMP.name} ON {CUSTOMERS}")
    with pytest.raises(SystemCheckError, match=r"events\.E001"):
        call_command("check", databases=["default"])


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_install_triggers_repairs_what_was_altered(alteration):
    sql(ALTERATIONS[alteration])
    install()
    assert errors() == []


def test_install_triggers_repairs_what_is_missing_or_disabled_and_they_work():
    sql(f"DROP TRIGGER {GUARD.name} ON {CUSTOMERS}; DROP FUNCTION {GUARD.name}()")
    sql(f"ALTER TABLE {CUSTOMERS} DISABLE TRIGGER {STAMP.name}")
    install()
    assert errors() == []
    customer = make_scored()
    Customer.objects.filter(pk=customer.pk).update(age=41, churn_risk_score=0)
    assert list(Customer.objects.stale()) == [customer]
    assert Customer.objects.get().churn_risk_score == customer.churn_risk_score


# What a function that runs with its owner's rights must not be, or lack.
RIGHTS = {
    "the editor's rights": f"ALTER FUNCTION {EDITED.name} SECURITY INVOKER",
    "no search path": f"ALTER FUNCTION {EDITED.name} RESET search_path",
    "another search path": f"ALTER FUNCTION {ARRIVED.name} SET search_path TO public",
    "executable by all": f"GRANT EXECUTE ON FUNCTION {EDITED.name} TO PUBLIC",
    "another owner": f"CREATE ROLE vigilpay_test_other; ALTER FUNCTION {ARRIVED.name} OWNER TO vigilpay_test_other",
    "every role the scorer": "GRANT INSERT ON customers_scorerecord TO PUBLIC",
    "every role may name editors": "GRANT ALL ON customers_importbatch TO PUBLIC",
    "row security on marks": "ALTER TABLE customers_stalemark ENABLE ROW LEVEL SECURITY",
    "row security on shadow runs": "ALTER TABLE customers_shadowrun ENABLE ROW LEVEL SECURITY",
    "forced row security on history": "ALTER TABLE customers_unscoredversion FORCE ROW LEVEL SECURITY",
}


@pytest.mark.parametrize("wrong", RIGHTS)
def test_wrong_rights_are_an_error_and_repaired(wrong):
    sql(RIGHTS[wrong])
    [error] = errors()
    assert error.id == "events.E001"
    install()
    assert errors() == []


def test_so_is_a_table_of_marks_that_its_owner_may_not_write():
    """As after a restore that lost all grants, or by a careless REVOKE; of a superuser nothing can be taken away."""
    sql("CREATE ROLE vigilpay_test_owner")
    sql(f"GRANT vigilpay_test_owner TO CURRENT_USER; ALTER TABLE {CUSTOMERS} OWNER TO vigilpay_test_owner")
    assert "Table customers_stalemark cannot be written by the owner of customers_customer" in said()
    assert f"{EDITED.name} on {CUSTOMERS} does not belong to the owner" in said()
    sql("GRANT CREATE ON SCHEMA public TO vigilpay_test_owner")
    install()
    assert errors() == []


@pytest.mark.parametrize("how", ["by the migration", "by the command"])
def test_an_objection_is_taken_where_the_bank_owns_the_customers_and_a_superuser_migrates(how):
    """The triggers take the shadow score away with the bank's rights, which it has of no table of a superuser's."""
    customer = make_scored()
    sql("CREATE ROLE vigilpay_test_owner; GRANT CREATE ON SCHEMA public TO vigilpay_test_owner")
    sql(f"GRANT vigilpay_test_owner TO CURRENT_USER; ALTER TABLE {CUSTOMERS} OWNER TO vigilpay_test_owner")
    install()
    sql("REVOKE ALL ON customers_shadowscore, customers_shadowwait, customers_shadowrun FROM vigilpay_test_owner")
    assert re.findall(r"Table (customers_shadow\w+ cannot be \w+) by the owner", said()) == [
        "customers_shadowrun cannot be read",
        "customers_shadowscore cannot be written",
        "customers_shadowwait cannot be written",
    ]
    if how == "by the migration":
        with connection.schema_editor() as editor:
            SHADOW.Migration.operations[0].code(None, editor)
    else:
        install()
    assert errors() == []
    sql(f"UPDATE {CUSTOMERS} SET objected_at = now()")
    customer.refresh_from_db()
    assert customer.churn_risk_score is None


@pytest.mark.parametrize("trigger", [EDITED, ARRIVED, RELEASED], ids=lambda trigger: trigger.name)
def test_a_function_with_its_owners_rights_runs_for_no_other_table(trigger):
    sql("CREATE TABLE of_my_own (age int)")
    sql("INSERT INTO of_my_own VALUES (1)")
    transition = trigger.transition.replace("\n", " ")
    event = "AFTER UPDATE" if "OLD TABLE" in transition else "AFTER INSERT"
    sql(f"CREATE TRIGGER mine {event} ON of_my_own {transition} EXECUTE FUNCTION {trigger.name}()")
    with pytest.raises(ProgrammingError, match="permission denied"):
        sql("UPDATE of_my_own SET age = 1" if event == "AFTER UPDATE" else "INSERT INTO of_my_own VALUES (2)")


@pytest.mark.parametrize(
    ("name", "event", "warned"),
    [
        ("zz_bank", "BEFORE UPDATE", False),
        ("zzzz_bank", "BEFORE UPDATE OF age", True),
        ("~bank", "BEFORE INSERT OR UPDATE", True),
        ("~bank", "AFTER UPDATE", False),
        ("~bank", "BEFORE INSERT", False),
    ],
)
def test_a_trigger_of_the_banks_behind_ours_is_a_warning(name, event, warned):
    sql("CREATE FUNCTION bank() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    sql(f'CREATE TRIGGER "{name}" {event} ON {CUSTOMERS} FOR EACH ROW EXECUTE FUNCTION bank()')
    assert [warning.id for warning in the_stamp_is_last(databases=["default"])] == ["events.W002"] * warned


def test_install_triggers_changes_nothing_where_nothing_is_wrong():
    make_customer()
    install()
    install()
    assert errors() == []


def test_a_database_that_was_never_migrated_has_no_errors_yet():
    sql("CREATE SCHEMA fresh")
    sql("SET LOCAL search_path TO fresh")
    assert errors() == []


def test_no_database_is_asked_unless_it_is_named():
    sql(f"DROP TRIGGER {GUARD.name} ON {CUSTOMERS}")
    assert triggers_are_as_declared(databases=None) == []


def test_another_broker_is_a_warning_that_plain_sql_edits_have_to_wait(settings):
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "broker_class": "django_q.brokers.orm.ORM"}
    [warning] = broker_listens()
    assert warning.id == "events.W001"
    assert "plain SQL" in warning.msg


def test_our_broker_is_none():
    assert broker_listens() == []


@pytest.mark.parametrize(("drain", "stall"), [(20, 20), (20, 3), (1, 45)])
def test_a_supervisor_less_patient_than_a_drain_and_a_drain_without_end_are_errors(settings, drain, stall):
    settings.DRAIN_SECONDS, settings.STALL_SECONDS = drain, stall
    [error] = drains_fit_between_a_lease_and_a_stall()
    assert error.id == "events.E002"


def test_the_times_in_the_settings_fit():
    assert drains_fit_between_a_lease_and_a_stall() == []


def install():
    try:
        call_command("install_triggers", stdout=StringIO())
    except CommandError as error:  # pragma: no cover
        pytest.fail(str(error))
