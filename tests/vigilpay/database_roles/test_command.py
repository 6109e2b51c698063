"""What the roles of a database lack, or have too much."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from customers.ml_service.schema import FEATURES
from tests.security.our_roles import our_roles
from tests.security.strangers import role
from vigilpay.database_roles import comparison, grants, rights
from vigilpay.database_roles.names import Names, RoleNameError, literal, quoted

pytestmark = pytest.mark.django_db(transaction=True)


def sql(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def options(names):
    return {"web": names.web, "worker": names.worker, "application": names.application}


def owner():
    return connection.settings_dict["USER"] or connection.get_connection_params()["user"]


def printed(names, **more):
    out = StringIO()
    call_command("database_roles", sql=True, **options(names), **more, stdout=out)
    return out.getvalue()


def compared(names):
    """The lines that name a difference; empty where the command is content."""
    out = StringIO()
    try:
        call_command("database_roles", **options(names), stdout=out)
    except CommandError:
        return out.getvalue().splitlines()
    assert "may store scores" in out.getvalue()
    return []


def test_no_table_is_forgotten():
    assert rights.without_rights() == []


def test_no_line_is_left_of_a_table_that_is_gone():
    assert set(rights.RIGHTS) == {rights.label_of(model) for model in rights.our_models()}


def test_a_table_without_a_line_stops_the_command(monkeypatch):
    monkeypatch.delitem(rights.RIGHTS, "events.Drain")
    with pytest.raises(CommandError, match=r"No rights are noted for events\.Drain"):
        call_command("database_roles")


def test_the_script_makes_what_the_comparison_asks_for_and_can_be_run_again():
    with our_roles() as names:
        assert compared(names) == []
        sql(printed(names))
        assert compared(names) == []


def test_it_takes_back_what_default_privileges_or_careless_grants_have_given():
    with our_roles() as names:
        sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {names.web}, PUBLIC")
        sql(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {names.application}")
        assert compared(names) != []
        sql(printed(names))
        assert compared(names) == []


DIFFERENCES = {
    "REVOKE INSERT ON customers_scorerecord FROM {worker}": "{worker}: lacks INSERT on customers_scorerecord",
    "GRANT INSERT ON customers_scorerecord TO {web}": "{web}: too much, INSERT on customers_scorerecord",
    "GRANT UPDATE ON customers_customer TO {application}": "{application}: too much, UPDATE on customers_customer",
    "GRANT UPDATE (version) ON customers_customer TO {web}": "{web}: too much, UPDATE (version) on customers_customer",
    "REVOKE UPDATE (age) ON customers_customer FROM {web}": "{web}: lacks UPDATE (age) on customers_customer",
    "GRANT SELECT ON events_turn TO PUBLIC": "every role: too much, SELECT on events_turn",
    "GRANT {worker} TO {web}": "{web}: too much, INSERT on customers_scorerecord",
    "ALTER ROLE {web} NOINHERIT; GRANT {worker} TO {web}": "{web}: too much, may take the place of a role that stores "
    "scores",
    "ALTER ROLE {worker} CREATEROLE": "{worker}: too much, may give itself any role (CREATEROLE)",
    "ALTER ROLE {web} SUPERUSER": "{web}: is a superuser: nothing holds it back",
    "GRANT {owner} TO {application}": "{application}: is a member of the role that owns "
    "the tables, and may do the same",
    "REVOKE USAGE ON SCHEMA public FROM {worker}, PUBLIC": "{worker}: lacks USAGE on the schema of the tables",
    "REVOKE UPDATE ON SEQUENCE events_awake FROM {web}": "{web}: lacks UPDATE on events_awake",
    "GRANT UPDATE ON SEQUENCE events_awake TO {application}": "{application}: too much, UPDATE on events_awake",
}


@pytest.mark.parametrize("statement", DIFFERENCES)
def test_each_difference_is_named(statement):
    with our_roles() as names:
        sql(statement.format(**options(names), owner=owner()))
        try:
            assert DIFFERENCES[statement].format(**options(names)) in compared(names)
        finally:
            sql("GRANT USAGE ON SCHEMA public TO PUBLIC; REVOKE ALL ON events_turn FROM PUBLIC")


def test_a_full_reload_by_truncate_is_the_banks_own_choice():
    with our_roles() as names:
        sql(f"GRANT TRUNCATE ON customers_customer TO {names.application}")
        assert compared(names) == []


def test_another_login_that_may_store_scores_is_named():
    with our_roles() as names, role("vp_other", "GRANT INSERT ON customers_scorerecord") as other:
        assert compared(names) == [f"{other}: too much, may store scores and is none of these roles"]


def test_so_is_one_that_may_take_the_place_of_such_a_role():
    with our_roles() as names, role("vp_other") as other:
        sql(f"ALTER ROLE {other} NOINHERIT; GRANT {names.worker} TO {other}")
        assert compared(names) == [f"{other}: too much, may store scores and is none of these roles"]


def test_roles_that_are_not_there_are_named():
    found = compared(Names("no such web", "no such worker", "no such application"))
    assert {line for line in found if "no such role" in line} == {
        f"no such {role}: there is no such role" for role in ("web", "worker", "application")
    }


def test_an_owner_of_its_own_gets_tables_and_functions():
    """In a transaction that is taken back: the other tests' tables stay theirs."""
    names = Names("vp_w", "vp_k", "vp_a", owner="vp_o")
    script = "\n".join(grants.statements(names, database=comparison.place()[0], schema="public"))
    sql(script.replace("COMMIT;", ""))
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        assert cursor.fetchall() == [("vp_o",)]
        cursor.execute("SELECT DISTINCT pg_get_userbyid(proowner) FROM pg_proc WHERE proname ~ '^(zzz_)?vigilpay_'")
        assert cursor.fetchall() == [("vp_o",)]
        call_command("check", databases=["default"])
        cursor.execute("ROLLBACK")


def test_names_are_quoted():
    names = Names('we"b', "work'er", "Bank App")
    script = printed(names)
    assert "'work''er'" in script
    assert '"we""b"' in script
    assert 'TO "Bank App"' in script
    assert (quoted('a"b'), literal("a'b")) == ('"a""b"', "'a''b'")


@pytest.mark.parametrize("name", ["public", "x" * 64, "é" * 32, "a\nb", "a\0b"])
def test_what_can_be_no_name_is_refused(name):
    with pytest.raises(RoleNameError):
        Names(name, "worker", "application")


def test_two_roles_of_one_name_are_refused():
    with pytest.raises(CommandError, match="a name of its own"):
        call_command("database_roles", web="same", worker="same")


def test_the_rights_on_customers_are_those_on_the_banks_columns():
    assert set(rights.bank_columns("UPDATE")) == {"surname", "external_id", *FEATURES, "objected_at"}
    assert set(rights.bank_columns("INSERT")) == {"customer_id", "external_id", "surname", *FEATURES, "objected_at"}


def test_a_database_without_tables_says_what_comes_first(monkeypatch):
    monkeypatch.setattr(connection.introspection, "table_names", lambda *args, **kwargs: [])
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        call_command("database_roles", sql=True)
