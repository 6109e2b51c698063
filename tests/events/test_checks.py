"""Set-ups that would lose edits are found before they do."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from customers.models import Customer
from events.checks import broker_listens, drains_fit_between_a_promise_and_a_stall, triggers_are_as_declared
from events.triggers import CUSTOMERS, FUNCTIONS, GUARD, KEEP_UNSCORED, RELEASED, STAMP, TRIGGERS
from tests.factories import make_customer, make_scored

pytestmark = pytest.mark.django_db


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
@pytest.mark.parametrize("how", ["DISABLE TRIGGER", "ENABLE REPLICA TRIGGER"])
def test_a_trigger_that_does_not_fire_is_an_error(trigger, how):
    sql(f"ALTER TABLE {trigger.table} {how} {trigger.name}")
    [error] = errors()
    assert error.id == "events.E001"
    assert "is disabled" in error.msg


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


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_missing_function_is_an_error_and_install_triggers_repairs_it(function):
    sql(f"DROP FUNCTION {function.name}")
    [error] = errors()
    assert (error.id, error.msg) == ("events.E001", f"Function {function.name} is missing.")
    install()
    assert errors() == []


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_an_altered_function_is_an_error_and_install_triggers_repairs_it(function):
    arguments = function.arguments.replace("@schema@.", "")
    sql(f"CREATE OR REPLACE FUNCTION {function.name}({arguments}) RETURNS void LANGUAGE plpgsql AS 'BEGIN END'")
    [error] = errors()
    assert error.msg == f"Function {function.name} is not the one declared in events/triggers.py."
    install()
    assert errors() == []


@pytest.mark.parametrize("alteration", ["SECURITY INVOKER", "RESET search_path", "SET search_path TO public"])
def test_other_rights_or_another_search_path_of_the_history_function_are_an_error_and_repaired(alteration):
    sql(f"ALTER FUNCTION {KEEP_UNSCORED.name} {alteration}")
    [error] = errors()
    assert error.msg == f"Function {KEEP_UNSCORED.name} is not the one declared in events/triggers.py."
    install()
    assert errors() == []


@pytest.mark.parametrize(
    ("right", "thing"),
    [
        ("SELECT", "events_watch"),
        ("SELECT", "events_awake"),
        ("INSERT", "customers_stalemark"),
        ("USAGE", "SEQUENCE customers_stalemark_id_seq"),
    ],
)
def test_install_triggers_lets_every_editor_look_and_mark_again(right, thing):
    sql(f"REVOKE {right} ON {thing} FROM PUBLIC")
    install()
    kind = "table" if right == "INSERT" or thing == "events_watch" else "sequence"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT has_{kind}_privilege('public', %s, %s)", [thing.split()[-1], right])
        assert cursor.fetchone() == (True,)


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
    [error] = drains_fit_between_a_promise_and_a_stall()
    assert error.id == "events.E002"


def test_the_times_in_the_settings_fit():
    assert drains_fit_between_a_promise_and_a_stall() == []


def install():
    try:
        call_command("install_triggers", stdout=StringIO())
    except CommandError as error:  # pragma: no cover
        pytest.fail(str(error))
