"""Migrations of a large table may be interrupted, and are then simply repeated."""

from importlib import import_module

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.db.migrations.loader import MigrationLoader

from customers.models import Customer, UnscoredVersion
from customers.models.bounds import differing_bounds
from tests.factories import make_customer

OPEN_CATEGORIES = import_module("customers.migrations.0025_open_categories")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["0018_value_at_risk", "0021_outreach_permissions"])
def test_an_index_that_an_interrupted_build_has_left_behind_is_built_again(name):
    loader = MigrationLoader(connection)
    after = loader.project_state(("customers", name))
    operations = loader.disk_migrations["customers", name].operations
    [operation] = [it for it in operations if isinstance(it, AddIndexConcurrently)]
    with connection.schema_editor(atomic=False) as editor:
        operation.database_forwards("customers", editor, after, after)
    table = after.apps.get_model("customers", operation.model_name)._meta.db_table
    with connection.cursor() as cursor:
        assert operation.index.name in connection.introspection.get_constraints(cursor, table)


@pytest.mark.django_db
def test_the_column_of_former_versions_is_added_and_dropped_without_waiting_long_for_its_lock():
    """Edits that keep a former version wait behind whoever waits for the whole table."""
    loader, of_the_past = MigrationLoader(connection), ("customers", "0028_lists_of_the_past")
    before, after = loader.project_state(of_the_past, at_end=False), loader.project_state(of_the_past)
    column = loader.disk_migrations[of_the_past].operations[-1]
    with connection.schema_editor() as editor, connection.cursor() as cursor:
        for way, states in ((column.database_backwards, (after, before)), (column.database_forwards, (before, after))):
            cursor.execute("SET LOCAL lock_timeout = 0")
            way("customers", editor, *states)
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("500ms",)
    assert UnscoredVersion.objects.filter(objected_at=None).count() == 0


USES = {
    "view bank_report": "CREATE VIEW bank_report AS SELECT customer_id, geography FROM customers_customer",
    "materialized view bank_report": "CREATE MATERIALIZED VIEW bank_report AS SELECT gender FROM customers_scorerecord",
    "view bank_past": "CREATE VIEW bank_past AS SELECT * FROM customers_unscoredversion",
    "trigger bank_moved on table customers_customer": """
        CREATE FUNCTION bank_moved() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER bank_moved AFTER UPDATE OF geography ON customers_customer FOR EACH ROW
        EXECUTE FUNCTION bank_moved()""",
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", USES)
def test_what_the_bank_has_made_of_country_and_gender_is_told_before_anything_is_changed(name):
    """PostgreSQL would refuse to widen the columns, when the index on countries is gone already."""
    refuse = OPEN_CATEGORIES.refuse_where_others_use_them
    with connection.schema_editor() as editor, connection.cursor() as cursor:
        refuse(None, editor)  # what is VigilPay's own is none
        cursor.execute("CREATE VIEW bank_ages AS SELECT customer_id, age FROM customers_customer")
        refuse(None, editor)
        cursor.execute(USES[name])
        with pytest.raises(RuntimeError, match=f"Nothing was changed: {name} uses .*Drop .*migrate.*create .* again"):
            refuse(None, editor)


def test_that_is_asked_first_on_the_way_there_and_on_the_way_back():
    [separate] = OPEN_CATEGORIES.Migration.operations
    operations = separate.database_operations
    refuse = OPEN_CATEGORIES.refuse_where_others_use_them
    assert refuse in (operations[0].code, operations[-1].reverse_code)
    assert operations[0].code == operations[-1].reverse_code


@pytest.mark.django_db(transaction=True)
class TestOpenCategories:
    """The database may go back as long as it holds what the former version can hold."""

    @pytest.fixture(autouse=True)
    def there_again(self):
        yield
        call_command("migrate", verbosity=0)

    def test_going_back_is_refused_before_anything_is_changed(self):
        customer = make_customer(geography="Italy")
        with pytest.raises(RuntimeError, match="Nothing was changed: 1 customers and 0 rows of their history have a"):
            call_command("migrate", "customers", "0024", verbosity=0)
        Customer.objects.filter(pk=customer.pk).update(geography="Spain", balance=-1)
        with pytest.raises(RuntimeError, match="Nothing was changed"):
            call_command("migrate", "customers", "0024", verbosity=0)

    def test_there_and_back_leaves_the_same_table(self):
        make_customer(geography="Spain")
        before = table_as_it_is()
        call_command("migrate", "customers", "0024", verbosity=0)
        assert differing_bounds() == []  # else `migrate` would begin by advising to migrate
        with connection.cursor() as cursor, pytest.raises(IntegrityError, match="customer_geography_is_known"):
            cursor.execute("UPDATE customers_customer SET geography = 'Italy'")
        call_command("migrate", verbosity=0)
        assert table_as_it_is() == before


def table_as_it_is():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = 'customers_customer'::regclass"
            " UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'customers_customer'"
            " UNION ALL SELECT attrelid::regclass || '.' || attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid::regclass::text ~ '^customers_(customer|scorerecord|unscoredversion|scoringfailure)$'"
            " AND attnum > 0 AND NOT attisdropped"
        )
        return dict(cursor.fetchall())
