"""What the triggers note of a row that comes into the table, goes, and comes back, by any hand and in any way."""

import pytest
from django.db import ProgrammingError, connection, transaction

from customers.fields import LONG_AGO
from customers.models import Customer, UnscoredVersion
from tests.factories import A_CUSTOMER, edit, make_customer, make_scored

pytestmark = pytest.mark.django_db

LOADER = "vigilpay_test_reloader"


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def arrived_at(customer_id):
    return Customer.objects.values_list("arrived_at", flat=True).get(pk=customer_id)


def kept():
    return list(UnscoredVersion.objects.order_by("id").values_list("customer_id", "version", "age"))


class TestArrival:
    def test_each_is_another_life_and_the_insert_has_no_say_in_it(self):
        customer = make_customer(customer_id=5, arrived_at=LONG_AGO)
        first = arrived_at(5)
        assert first > LONG_AGO
        assert customer.arrived_at == first  # the object at hand knows
        sql("CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS SELECT * FROM customers_customer")
        sql("DELETE FROM customers_customer")
        sql("INSERT INTO customers_customer SELECT * FROM fresh")
        assert arrived_at(5) > first

    def test_two_in_one_statement_are_two_lives(self):
        columns = ", ".join(("customer_id", *A_CUSTOMER))
        make_customer(customer_id=5)
        sql("CREATE TEMPORARY TABLE seen (at timestamptz) ON COMMIT DROP")
        sql(f"CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS SELECT {columns} FROM customers_customer")
        sql(f"""DO $$ BEGIN FOR i IN 1..3 LOOP
            DELETE FROM customers_customer;
            INSERT INTO customers_customer ({columns}) SELECT * FROM fresh;
            INSERT INTO seen SELECT arrived_at FROM customers_customer;
        END LOOP; END $$""")
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(DISTINCT at) FROM seen")
            assert cursor.fetchone() == (3,)

    def test_an_upsert_of_a_row_that_is_there_is_no_arrival(self):
        make_customer(customer_id=5)
        first, columns = arrived_at(5), ", ".join(("customer_id", *A_CUSTOMER))
        sql(f"""INSERT INTO customers_customer ({columns}) SELECT {columns} FROM customers_customer
            ON CONFLICT (customer_id) DO UPDATE SET age = 77, arrived_at = excluded.arrived_at""")
        assert (arrived_at(5), Customer.objects.get().age) == (first, 77)

    @pytest.mark.parametrize("value", ["now()", "NULL", "DEFAULT"])
    def test_an_update_does_not_move_it(self, value):
        make_customer(customer_id=5)
        first = arrived_at(5)
        sql(f"UPDATE customers_customer SET arrived_at = {value}, age = 50")
        assert arrived_at(5) == first

    def test_nor_does_the_full_save_of_an_instance_of_the_former_life(self):
        former = make_customer(customer_id=5)
        Customer.objects.all().delete()
        make_customer(customer_id=5)
        second = arrived_at(5)
        former.age = 71
        former.save()
        assert (arrived_at(5), Customer.objects.get().age) == (second, 71)

    def test_an_id_that_is_changed_begins_anew_and_one_that_is_set_to_itself_does_not(self):
        make_customer(customer_id=5)
        first = arrived_at(5)
        sql("UPDATE customers_customer SET customer_id = customer_id")
        assert arrived_at(5) == first
        sql("UPDATE customers_customer SET customer_id = 6")
        sql("UPDATE customers_customer SET customer_id = 5")
        assert arrived_at(5) > first


class TestLeaving:
    @pytest.mark.parametrize(
        "leave",
        [
            "DELETE FROM customers_customer",
            "DELETE FROM customers_customer WHERE customer_id = 5",
            "TRUNCATE customers_customer",
            "TRUNCATE customers_customer CASCADE",
        ],
    )
    def test_a_version_that_waits_for_its_score_is_kept(self, leave):
        waiting, current = make_customer(customer_id=5, age=33), make_scored(customer_id=6)
        sql(leave)
        assert kept() == [(5, 1, 33)]
        version = UnscoredVersion.objects.get()
        assert (version.arrived_at, version.edited_by) == (waiting.arrived_at, waiting.edited_by)
        assert version.edited_at == waiting.stale_since
        assert not Customer.objects.exclude(pk=current.pk).exists()

    def test_one_that_was_scored_stands_in_the_history_already(self):
        make_scored()
        Customer.objects.all().delete()
        assert kept() == []

    def test_each_version_is_kept_once_however_it_ended(self):
        customer = make_scored(customer_id=5, age=40)
        for age in (41, 42):
            edit(customer, age=age)
        sql("UPDATE customers_customer SET customer_id = 6")
        sql("DELETE FROM customers_customer")
        assert kept() == [(5, 2, 41), (5, 3, 42), (6, 4, 42)]

    def test_a_delete_that_is_rolled_back_keeps_nothing(self):
        make_customer()
        with transaction.atomic():
            sql("DELETE FROM customers_customer")
            transaction.set_rollback(True)
        assert kept() == []

    @pytest.mark.parametrize("search_path", ["public", "''", "pg_temp, pg_catalog"])
    @pytest.mark.parametrize("leave", ["DELETE FROM public.customers_customer", "TRUNCATE public.customers_customer"])
    def test_a_role_that_may_do_nothing_else_can_reload(self, leave, search_path):
        make_customer(customer_id=5)
        columns = ", ".join(("customer_id", *A_CUSTOMER))
        sql(f"CREATE ROLE {LOADER}")
        sql(f"GRANT SELECT, INSERT, DELETE, TRUNCATE ON customers_customer TO {LOADER}")
        sql(f"SET LOCAL ROLE {LOADER}")
        sql(f"CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS SELECT {columns} FROM customers_customer")
        sql(f"SET LOCAL search_path TO {search_path}")
        sql(leave)
        sql(f"INSERT INTO public.customers_customer ({columns}) SELECT * FROM pg_temp.fresh")
        sql("SET LOCAL search_path TO public")
        sql("RESET ROLE")
        assert kept() == [(5, 1, 40)]
        assert Customer.objects.get().pk == 5

    @pytest.mark.parametrize(
        ("event", "then"),
        [
            ("AFTER DELETE ON {0} REFERENCING OLD TABLE AS gone", "DELETE FROM {0}"),
            ("BEFORE TRUNCATE ON {0}", "TRUNCATE {0}"),
        ],
    )
    def test_history_is_not_written_by_way_of_another_table(self, event, then):
        make_customer(customer_id=5)
        function = "vigilpay_leave" if "DELETE" in event else "vigilpay_leave_all"
        sql(f"CREATE ROLE {LOADER}")
        sql(f"GRANT SELECT ON customers_customer TO {LOADER}")
        sql(f"SET LOCAL ROLE {LOADER}")
        sql("CREATE TEMPORARY TABLE forged ON COMMIT DROP AS SELECT * FROM customers_customer")
        with pytest.raises(ProgrammingError, match="denied"), transaction.atomic():
            sql(f"""CREATE TRIGGER forge {event.format("forged")} FOR EACH STATEMENT EXECUTE FUNCTION {function}();
                {then.format("forged")}""")
        sql("RESET ROLE")
        assert kept() == []
