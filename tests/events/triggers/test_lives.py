"""What the triggers note of a row that comes into the table, goes, and comes back, by any hand and in any way."""

import pytest
from django.db import ProgrammingError, connection, transaction

from customers.fields import LONG_AGO
from customers.history.departures import OF_CUSTOMER, departures_of
from customers.models import LARGEST_CUSTOMER_ID, Customer, Departure, UnscoredVersion
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

    def test_of_an_objector_the_version_says_so(self):
        customer = make_scored(customer_id=5)
        Customer.objects.filter(pk=5).set_objection(True)
        Customer.objects.filter(pk=5).set_objection(False)
        edit(customer, age=50)
        versions = UnscoredVersion.objects.order_by("id").values_list("version", "objected_at")
        assert [(version, at is not None) for version, at in versions] == [(2, True), (3, False)]

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


def departed():
    """The customers of each departure with the beginnings of their lives, oldest first."""
    rows = Departure.objects.order_by("id").values_list("customer_ids", "arrived_ats")
    return [list(zip(ids, arrived_ats, strict=True)) for ids, arrived_ats in rows]


class TestDepartures:
    @pytest.fixture(autouse=True)
    def lives(self):
        """Three customers, and when each of them came."""
        self.arrived = {number: make_scored(customer_id=number).arrived_at for number in (7, 5, 6)}

    def ended(self, *ids):
        return [(number, self.arrived[number]) for number in ids]

    @pytest.mark.parametrize(
        ("statement", "ids"),
        [
            ("DELETE FROM customers_customer WHERE customer_id = 5", (5,)),
            ("DELETE FROM customers_customer", (5, 6, 7)),
            ("TRUNCATE customers_customer", (5, 6, 7)),
            ("UPDATE customers_customer SET customer_id = 50 WHERE customer_id = 5", (5,)),
            ("UPDATE customers_customer SET customer_id = customer_id + 100 WHERE customer_id < 7", (5, 6)),
        ],
    )
    def test_a_statement_leaves_one_array_in_the_order_of_ids(self, statement, ids):
        sql(statement)
        assert departed() == [self.ended(*ids)]

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE customers_customer SET age = age + 1",
            "UPDATE customers_customer SET customer_id = customer_id, objected_at = now()",
            "DELETE FROM customers_customer WHERE customer_id = 99",
        ],
    )
    def test_who_stays_has_not_left(self, statement):
        sql(statement)
        assert departed() == []

    def test_an_id_that_another_takes_in_the_same_statement_has_ended_a_life(self):
        sql("DELETE FROM customers_customer WHERE customer_id = 7")
        sql("UPDATE customers_customer SET customer_id = customer_id + 1 WHERE customer_id = 6")
        sql("UPDATE customers_customer SET customer_id = customer_id + 1 WHERE customer_id = 5")
        assert departed() == [self.ended(7), self.ended(6), self.ended(5)]

    def test_many_are_some_arrays_that_name_each_once(self):
        columns, places = ", ".join(A_CUSTOMER), ", ".join(["%s"] * len(A_CUSTOMER))
        sql(
            f"INSERT INTO customers_customer (customer_id, {columns}) SELECT 600 - i, {places}"
            " FROM generate_series(1, 250) AS i",
            *A_CUSTOMER.values(),
        )
        sql("DELETE FROM customers_customer WHERE customer_id > 7")
        arrays = sorted([number for number, _ in array] for array in departed())
        assert [len(array) for array in arrays] == [120, 120, 10]
        assert [number for array in arrays for number in array] == list(range(350, 600))

    def test_the_customer_of_the_largest_id_leaves_as_any_other(self):
        make_customer(customer_id=LARGEST_CUSTOMER_ID)
        sql(f"DELETE FROM customers_customer WHERE customer_id >= {LARGEST_CUSTOMER_ID}")
        assert [number for [(number, _)] in departed()] == [LARGEST_CUSTOMER_ID]

    @pytest.mark.parametrize(
        ("statement", "ids"),
        [
            ("DELETE FROM customers_customer WHERE customer_id = 5", (5,)),
            ("UPDATE customers_customer SET customer_id = 50 WHERE customer_id = 5", (5,)),
            ("TRUNCATE customers_customer", (5, 6, 7)),
            ("UPDATE customers_customer SET age = 50 WHERE customer_id = 5", ()),
        ],
    )
    def test_so_do_those_of_whom_replication_says_so(self, statement, ids):
        sql("SET LOCAL session_replication_role TO replica")
        sql(statement)
        assert departed() == ([self.ended(*ids)] if ids else [])

    def test_another_id_begins_without_the_score_of_the_former(self):
        sql("UPDATE customers_customer SET customer_id = 50 WHERE customer_id = 5")
        moved = Customer.objects.get(pk=50)
        assert (moved.churn_risk_score, moved.scored_at, moved.version) == (None, None, 2)
        assert moved.stale_since is not None

    def test_a_departure_is_found_by_the_index(self):
        sql(
            "INSERT INTO customers_departure (left_at, customer_ids, arrived_ats)"
            " SELECT now(), ARRAY[10 * i, 10 * i + 9], ARRAY[now(), now()] FROM generate_series(1, 3000) AS i"
        )
        sql("ANALYZE customers_departure")
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + OF_CUSTOMER, {"customer": 20_009})
            assert "departure_customers" in "".join(line for (line,) in cursor.fetchall())
        assert [it["left_at"] is not None for it in departures_of(20_009)] == [True]
        assert departures_of(20_008) == []
