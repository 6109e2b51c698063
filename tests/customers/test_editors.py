"""Who edited: what the triggers are told of edits through Django, and what they see for themselves of all others."""

from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection
from django.db.models import F
from django.test import Client
from psycopg.sql import SQL, Identifier

from customers import editors
from customers.import_export.staging import STORED, staged
from customers.models import Customer, ScoreRecord, UnscoredVersion
from customers.scoring import scorer
from tests.factories import A_CUSTOMER, make_customer, make_customers, make_scored
from tests.others import outsider

pytestmark = pytest.mark.django_db


def edited_by():
    return set(Customer.objects.values_list("edited_by", flat=True))


def role():
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user")
        return cursor.fetchone()[0]


def save():
    customer = Customer.objects.get()
    customer.age = 50
    customer.save()


def load():
    with staged([(1, "Loaded", *{**A_CUSTOMER, "age": 50}.values())], STORED) as staging:
        assert staging.store().changed == 1


def bulk_update():
    customer = Customer.objects.get()
    customer.age = 50
    assert Customer.objects.bulk_update([customer], ["age"]) == 1


def upsert():
    Customer.objects.bulk_create(
        [Customer(customer_id=1, **{**A_CUSTOMER, "age": 50})],
        update_conflicts=True,
        unique_fields=["customer_id"],
        update_fields=["age"],
    )


def by_a_composed_statement():
    with connection.cursor() as cursor:
        table, age = Identifier("customers_customer"), Identifier("age")
        cursor.execute(SQL("UPDATE {} SET {} = %s").format(table, age), [50])
        assert cursor.rowcount == 1


def by_bytes():
    with connection.cursor() as cursor:
        cursor.execute(b"UPDATE customers_customer SET age = %s", [50])
        assert cursor.rowcount == 1


def by_cursor():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE customers_customer SET age = %s", [50])
        assert cursor.rowcount == 1


def update():
    Customer.objects.update(age=50)


EDITS = [save, load, bulk_update, upsert, by_cursor, by_a_composed_statement, by_bytes, update]


@pytest.mark.django_db(transaction=True)
class TestThroughDjango:
    @pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
    def test_an_edit_is_djangos(self, edit):
        with outsider() as other:
            insert(other)
        assert edited_by() == {f"sql:{role()}"}
        edit()
        assert edited_by() == {"django"}
        assert Customer.objects.get().version == 2

    def test_a_new_customer_is_djangos_too(self):
        make_customer()
        Customer.objects.bulk_create(Customer(customer_id=i, **A_CUSTOMER) for i in (8_001, 8_002))
        load_new(8_003)
        assert edited_by() == {"django"}

    def test_an_edit_in_the_admin_is_that_users(self):
        customer = make_customer()
        clerk = get_user_model().objects.create_superuser("clerk", password=None)
        change_in_the_admin(clerk, customer, age=51)
        assert edited_by() == {f"django:{clerk.pk}"}

    def test_after_the_request_edits_are_no_users_in_particular(self):
        customer = make_customer()
        change_in_the_admin(get_user_model().objects.create_superuser("clerk", password=None), customer, age=51)
        Customer.objects.update(age=52)
        assert edited_by() == {"django"}

    def test_nothing_is_left_behind_on_the_connection(self):
        make_customer()
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('vigilpay.editor', true)")
            assert cursor.fetchone()[0] in (None, "")

    def test_an_edit_that_fails_leaves_nothing_behind_either(self):
        make_customer()
        with pytest.raises(Exception, match="customer_age_is_possible"):
            Customer.objects.update(age=1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('vigilpay.editor', true)")
            assert cursor.fetchone()[0] in (None, "")


class TestAnswerOfTheStatement:
    """Two statements go in one message: the caller must see that of the second."""

    def test_an_insert_returns_what_the_database_filled_in(self):
        customer = make_customer()
        assert (customer.version, customer.surname) == (1, "Made Up")
        assert customer.stale_since == Customer.objects.get().stale_since

    def test_a_bulk_insert_returns_every_row(self):
        created = Customer.objects.bulk_create(Customer(customer_id=i, **A_CUSTOMER) for i in (1, 2, 3))
        assert [customer.version for customer in created] == [1, 1, 1]

    def test_an_update_returns_how_many(self):
        make_customers(3)
        assert Customer.objects.update(age=F("age") + 1) == 3
        assert Customer.objects.filter(pk=0).update(age=50) == 0

    def test_what_an_update_returns_can_be_fetched(self):
        make_customers(2)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE customers_customer SET surname = '100%' RETURNING surname")
            assert cursor.fetchall() == [("100%",), ("100%",)]

    def test_save_of_a_customer_who_is_gone_says_so(self):
        customer = make_customer()
        Customer.objects.all().delete()
        with pytest.raises(DatabaseError, match="did not affect any rows"):
            customer.save(update_fields=["age"])


class TestPlainSql:
    def test_it_is_the_roles(self, transactional_db):
        make_customer()
        with outsider() as other:
            other.execute("UPDATE customers_customer SET age = 50")
        assert edited_by() == {f"sql:{role()}"}

    def test_a_session_that_changes_role_is_the_role_that_logged_in(self, transactional_db):
        make_customer()
        with outsider(autocommit=False) as other:
            other.execute("CREATE ROLE vigilpay_test_hat")
            other.execute("GRANT SELECT, UPDATE ON customers_customer TO vigilpay_test_hat")
            other.execute("SET LOCAL ROLE vigilpay_test_hat")
            other.execute("UPDATE customers_customer SET age = 50")
            found = other.execute("SELECT edited_by FROM customers_customer").fetchone()
            other.rollback()
        assert found == (f"sql:{role()}",)

    def test_a_program_may_give_its_own_name(self, transactional_db):
        make_customer()
        with outsider() as other:
            other.execute("SET vigilpay.editor TO 'nightly load'")
            other.execute("UPDATE customers_customer SET age = 50")
        assert edited_by() == {"nightly load"}

    def test_a_long_name_is_cut_and_fails_no_edit(self, transactional_db):
        make_customer()
        with outsider() as other:
            other.execute("SELECT set_config('vigilpay.editor', %s, false)", ["é" * 5_000])
            other.execute("UPDATE customers_customer SET age = 50")
        assert edited_by() == {"é" * 80}


def test_an_edit_of_the_surname_alone_is_no_edit_of_what_was_scored(transactional_db):
    make_customer()
    with outsider() as other:
        other.execute("UPDATE customers_customer SET surname = 'Married'")
    assert edited_by() == {"django"}


def test_the_editor_is_kept_with_every_version(transactional_db):
    customer = make_scored()
    with outsider() as other:
        other.execute("UPDATE customers_customer SET age = 50")
        Customer.objects.update(age=51)
    scorer.rescore_batch()
    assert UnscoredVersion.objects.get().edited_by == f"sql:{role()}"
    assert [record.edited_by for record in ScoreRecord.objects.filter(customer_id=customer.pk)] == ["django"] * 2


@pytest.mark.parametrize(
    ("key", "editor"), [(5, "django:5"), ("a'; DROP TABLE x; --%s", "django:aDROPTABLEx--s"), (None, "django")]
)
def test_no_key_of_a_user_can_break_out_of_the_statement(key, editor):
    answer = editors.EditorMiddleware(lambda request: editors.editor())
    assert answer(SimpleNamespace(user=SimpleNamespace(pk=key))) == editor
    assert editors.editor() == "django"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        'UPDATE "customers_customerarchive" SET age = 1',
        'DELETE FROM "customers_customer"',
        "INSERT INTO customers_customer_backup VALUES (1)",
        'SELECT "UPDATE customers_customer"',
    ],
)
def test_other_statements_are_left_alone(statement):
    assert not editors.EDIT.match(statement)


def change_in_the_admin(user, customer, **changes):
    client = Client()
    client.force_login(user)
    values = {"surname": "By the clerk", **A_CUSTOMER, **changes}
    form = {name: "on" if value is True else value for name, value in values.items() if value is not False}
    assert client.post(f"/admin/customers/customer/{customer.pk}/change/", form).status_code == 302


def load_new(customer_id):
    with staged([(customer_id, "Loaded", *A_CUSTOMER.values())], STORED) as staging:
        assert staging.store().new == 1


def insert(editor):
    columns = ", ".join(["customer_id", *A_CUSTOMER])
    places = ", ".join(["%s"] * (1 + len(A_CUSTOMER)))
    editor.execute(f"INSERT INTO customers_customer ({columns}) VALUES ({places})", [1, *A_CUSTOMER.values()])
