"""After migrating, the triggers are the declared ones, whatever an earlier commit's migrations have installed."""

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from customers.models import Customer
from events.triggers import repair
from events.triggers.installation import differences
from tests.factories import edit, make_customer, make_scored, rescore

pytestmark = pytest.mark.django_db

# As commit 80e4d09 had it: with today's stamp it would keep the same version twice, and the edit would fail.
KEEP = """
CREATE FUNCTION vigilpay_3_keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO customers_unscoredversion (customer_id, version, edited_by, credit_score, geography, gender, age,
        tenure, balance, num_of_products, has_cr_card, is_active_member)
    VALUES (OLD.customer_id, OLD.version, 'twice', OLD.credit_score, OLD.geography, OLD.gender, OLD.age, OLD.tenure,
        OLD.balance, OLD.num_of_products, OLD.has_cr_card, OLD.is_active_member);
    RETURN NEW;
END $$;
CREATE TRIGGER vigilpay_3_keep BEFORE UPDATE OF age ON customers_customer FOR EACH ROW
WHEN (OLD.stale_since IS NOT NULL) EXECUTE FUNCTION vigilpay_3_keep();
"""
OTHERS = {
    "a trigger that is not declared any more": KEEP,
    "another body": "CREATE OR REPLACE FUNCTION vigilpay_1_guard() RETURNS trigger LANGUAGE plpgsql"
    " AS $$ BEGIN RETURN NEW; END $$",
    "a trigger that is missing": "DROP TRIGGER zzz_vigilpay_stamp ON customers_customer",
    "a trigger that is disabled": "ALTER TABLE customers_customer DISABLE TRIGGER vigilpay_0_arrive",
}


def sql(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture(params=OTHERS)
def other(request):
    sql(OTHERS[request.param])


def migrate():
    """With nothing left to apply."""
    repair.repair_if_newest("default", plan=[])


def test_what_is_not_as_declared_is_installed_anew_and_told(other, caplog):
    assert differences("default")
    migrate()
    assert differences("default") == []
    assert "Triggers installed anew" in caplog.text
    customer = make_customer()
    for age in (31, 32):
        edit(customer, age=age)
    rescore(customer)
    customer.refresh_from_db()
    assert (customer.version, customer.is_current()) == (3, True)


def test_a_stray_one_is_told_by_the_check_and_made_away_with_by_the_command():
    sql(KEEP)
    [fault] = differences("default")
    assert "vigilpay_3_keep is none of those declared" in fault.msg
    call_command("install_triggers", verbosity=0)
    assert differences("default") == []


def test_triggers_of_the_bank_are_left_alone():
    sql("CREATE FUNCTION bank_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
    sql("CREATE TRIGGER bank_audit AFTER UPDATE ON customers_customer FOR EACH ROW EXECUTE FUNCTION bank_audit()")
    sql(OTHERS["a trigger that is disabled"])
    migrate()
    sql("DROP TRIGGER bank_audit ON customers_customer")  # it is there


def test_nothing_is_touched_where_all_is_as_declared(django_assert_max_num_queries, caplog):
    with django_assert_max_num_queries(12):
        migrate()
    assert caplog.messages == []


def test_flushing_a_database_is_no_migration(other):
    repair.repair_if_newest("default")
    assert differences("default")


@pytest.mark.parametrize("state", ["half way back", "migrated by newer code"])
def test_another_state_than_ours_is_left_alone(other, state):
    if state == "half way back":
        sql("DELETE FROM django_migrations WHERE id = (SELECT max(id) FROM django_migrations WHERE app = 'events')")
    else:
        sql("INSERT INTO django_migrations (app, name, applied) VALUES ('events', '9999_of_tomorrow', now())")
    migrate()
    assert differences("default")


def test_an_edit_of_the_same_transaction_stays():
    customer = make_scored()
    sql(OTHERS["another body"])
    with transaction.atomic():
        edit(customer, age=77)
        migrate()
    assert list(Customer.objects.stale()) == [customer]
