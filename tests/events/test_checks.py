"""Set-ups that would lose edits are found before they do."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from customers.models import Customer
from events.checks import broker_listens, drains_fit_between_a_promise_and_a_stall, triggers_are_as_declared
from events.triggers import GUARD, KNOCK, STAMP, TABLE, TRIGGERS
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
    "another condition": f"""CREATE OR REPLACE TRIGGER {STAMP.name} BEFORE UPDATE OF age ON {TABLE} FOR EACH ROW
                             WHEN (OLD.age IS DISTINCT FROM NEW.age AND NEW.age > 60)
                             EXECUTE FUNCTION {STAMP.name}()""",
    "fewer columns": f"""CREATE OR REPLACE TRIGGER {KNOCK.name} AFTER INSERT OR UPDATE OF age ON {TABLE}
                         FOR EACH STATEMENT EXECUTE FUNCTION {KNOCK.name}()""",
    "no condition at all": f"""CREATE OR REPLACE TRIGGER {GUARD.name} BEFORE UPDATE ON {TABLE} FOR EACH ROW
                               EXECUTE FUNCTION {GUARD.name}()""",
    "another function": f"""CREATE FUNCTION elsewhere() RETURNS trigger LANGUAGE plpgsql AS $${STAMP.body}$$;
                            DROP TRIGGER {STAMP.name} ON {TABLE};
                            CREATE TRIGGER {STAMP.name} BEFORE UPDATE OF age ON {TABLE} FOR EACH ROW
                            EXECUTE FUNCTION elsewhere();
                            COMMENT ON TRIGGER {STAMP.name} ON {TABLE} IS '{STAMP.fingerprint()}'""",
    "no search path of its own": f"ALTER FUNCTION {KNOCK.name}() RESET search_path",
}


def test_the_triggers_that_migrate_installed_are_those_declared():
    assert errors() == []


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.name)
def test_a_missing_trigger_is_an_error(trigger):
    sql(f"DROP TRIGGER {trigger.name} ON {TABLE}")
    [error] = errors()
    assert (error.id, error.msg) == ("events.E001", f"Trigger {trigger.name} on {TABLE} is missing.")
    assert "install_triggers" in error.hint


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.name)
@pytest.mark.parametrize("how", ["DISABLE TRIGGER", "ENABLE REPLICA TRIGGER"])
def test_a_trigger_that_does_not_fire_is_an_error(trigger, how):
    sql(f"ALTER TABLE {TABLE} {how} {trigger.name}")
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
    sql(f"DROP TRIGGER {GUARD.name} ON {TABLE}")
    sql(f"ALTER TABLE {TABLE} DISABLE TRIGGER {STAMP.name}")
    assert GUARD.name in said()
    assert STAMP.name in said()


def test_manage_check_fails_on_it():
    sql(f"DROP TRIGGER {STAMP.name} ON {TABLE}")
    with pytest.raises(SystemCheckError, match=r"events\.E001"):
        call_command("check", databases=["default"])


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_install_triggers_repairs_what_was_altered(alteration):
    sql(ALTERATIONS[alteration])
    install()
    assert errors() == []


def test_install_triggers_repairs_what_is_missing_or_disabled_and_they_work():
    sql(f"DROP TRIGGER {GUARD.name} ON {TABLE}; DROP FUNCTION {GUARD.name}()")
    sql(f"ALTER TABLE {TABLE} DISABLE TRIGGER {STAMP.name}")
    install()
    assert errors() == []
    customer = make_scored()
    Customer.objects.filter(pk=customer.pk).update(age=41, churn_risk_score=0)
    assert list(Customer.objects.stale()) == [customer]
    assert Customer.objects.get().churn_risk_score == customer.churn_risk_score


def test_install_triggers_lets_every_editor_look_at_the_watch_again():
    sql("REVOKE SELECT ON events_watch FROM PUBLIC")
    install()
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('public', 'events_watch', 'SELECT')")
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
    sql(f"DROP TRIGGER {GUARD.name} ON {TABLE}")
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
