"""Staged rows into the customer table: what is written, what is left alone, and who waits for whom."""

from decimal import Decimal

import pytest
from django.db import connection

from customers import turns
from customers.import_export.csv_files.columns import STORED
from customers.import_export.load_errors import LoadError
from customers.import_export.staging import TURN, Progress, RowCounts, staged
from customers.ml_service.schema import FEATURES
from customers.models import Customer
from events.triggers.channels import STALE_CHANNEL
from tests.factories import make_customer
from tests.others import await_that, outsider, together, waiting_for_locks

ENGINE = ("version", "stale_since", "churn_risk_score", "scored_version", "scored_by_id", "scored_at", "reason_codes")


def staged_row(customer_id, surname="Maronard", age=42):
    return (customer_id, surname, 619, "France", "Female", age, 2, Decimal("119700.25"), 1, True, False)


def load(*rows, slice_rows=1000, fields=STORED, progress=None, **options):
    with staged(rows, fields, progress) as staging:
        return staging.store(slice_rows, **options)


def row_on_disk(customer_id):
    """The row, with the transactions that wrote it (xmin) and that locked it (xmax)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin, xmax, * FROM customers_customer WHERE customer_id = %s", [customer_id])
        return cursor.fetchone()


@pytest.mark.django_db
class TestStoring:
    def test_new_customers_are_stored_value_by_value_and_stale(self):
        assert load(staged_row(7)) == RowCounts(new=1)
        customer = Customer.objects.get(pk=7)
        assert tuple(getattr(customer, field) for field in STORED) == staged_row(7)
        assert (customer.version, customer.churn_risk_score, customer.stale_since is None) == (1, None, False)

    def test_a_changed_customer_gets_a_new_version(self):
        load(staged_row(7))
        assert load(staged_row(7, age=43)) == RowCounts(changed=1)
        customer = Customer.objects.get(pk=7)
        assert (customer.age, customer.version) == (43, 2)

    def test_another_surname_alone_makes_nothing_stale(self):
        load(staged_row(7))
        assert load(staged_row(7, surname="Norliville")) == RowCounts(changed=1)
        customer = Customer.objects.get(pk=7)
        assert (customer.surname, customer.version) == ("Norliville", 1)

    def test_a_surname_that_the_rows_do_not_have_stays(self):
        load(staged_row(7))
        fields = ("customer_id", *FEATURES)
        rows = [(customer_id, *staged_row(customer_id, age=50)[2:]) for customer_id in (7, 8)]
        assert load(*rows, fields=fields) == RowCounts(new=1, changed=1)
        assert list(Customer.objects.order_by("pk").values_list("surname", "age")) == [("Maronard", 50), ("", 50)]

    def test_new_changed_and_unchanged_are_counted_over_all_slices_in_any_order(self):
        load(*(staged_row(customer_id) for customer_id in range(1, 8)))
        rows = [staged_row(customer_id, age=42 + customer_id // 6) for customer_id in range(10, 0, -1)]
        assert load(*rows, slice_rows=3) == RowCounts(new=3, changed=2, unchanged=5)

    def test_comparing_counts_the_same_and_stores_nothing(self):
        load(*(staged_row(customer_id) for customer_id in range(1, 8)))
        with staged([staged_row(n, age=42 + n // 6) for n in range(1, 11)], STORED) as staging:
            assert staging.compare() == RowCounts(new=3, changed=2, unchanged=5)
        assert Customer.objects.count() == 7

    def test_no_rows_are_no_error(self):
        assert load() == RowCounts()

    def test_nothing_is_left_of_the_staging_table(self):
        load(staged_row(7))
        assert not any("staging" in table for table in connection.introspection.table_names())

    def test_a_permanent_table_that_happens_to_have_its_name_is_left_alone(self):
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE customers_staging AS SELECT 5 AS mine")
            load(staged_row(7))
            cursor.execute("SELECT mine FROM customers_staging")
            assert cursor.fetchone() == (5,)

    def test_no_statement_names_a_column_of_the_engine(self, django_assert_max_num_queries):
        with django_assert_max_num_queries(100) as captured:
            load(staged_row(7))
            load(staged_row(7, age=43))
        statements = " ".join(query["sql"] for query in captured.captured_queries)
        assert "UPDATE customers_customer" in statements
        assert not [column for column in ENGINE if column in statements]


@pytest.mark.django_db(transaction=True)
class TestUnchangedCustomers:
    def test_they_are_neither_written_nor_locked(self):
        load(staged_row(7))
        before = row_on_disk(7)
        assert load(staged_row(7), staged_row(8)) == RowCounts(new=1, unchanged=1)
        assert row_on_disk(7) == before

    def test_their_editors_are_not_waited_for(self):
        load(staged_row(7))
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 60 WHERE customer_id = 7")
            assert load(staged_row(7)) == RowCounts(unchanged=1)

    def test_no_worker_is_woken_for_them(self):
        load(staged_row(7))
        with outsider() as listener:
            listener.execute(f"LISTEN {STALE_CHANNEL}")
            load(staged_row(7))
            assert list(listener.notifies(timeout=0.2)) == []
            load(staged_row(7, age=50))
            assert len(list(listener.notifies(timeout=5, stop_after=1))) == 1


@pytest.mark.django_db(transaction=True)
class TestOthersAtWork:
    def test_a_slice_waits_for_an_open_edit_of_its_row_and_then_wins(self):
        load(staged_row(7))
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 60 WHERE customer_id = 7")

            def finish_later():
                await_that(waiting_for_locks, "the load waits for the edit")
                editor.commit()

            tally, _ = together(lambda: load(staged_row(7, age=43)), finish_later)
        assert tally == RowCounts(changed=1)
        assert Customer.objects.get(pk=7).age == 43

    def test_a_row_that_was_as_the_load_has_it_and_is_edited_meanwhile_keeps_the_edit(self):
        class EditInBetween(Progress):
            def before(self, piece):
                with outsider() as editor:
                    editor.execute("UPDATE customers_customer SET age = 60 WHERE customer_id = 8")

        load(staged_row(7), staged_row(8))
        assert load(staged_row(7, age=43), staged_row(8), progress=EditInBetween()) == RowCounts(changed=1, unchanged=1)
        assert list(Customer.objects.order_by("pk").values_list("age", flat=True)) == [43, 60]

    def test_an_editor_that_waits_for_a_slice_that_waits_for_it_is_never_the_victim(self):
        load(staged_row(1), staged_row(2))
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 60 WHERE customer_id = 2")

            def edit_the_other():
                await_that(waiting_for_locks, "the load holds 1 and waits for 2")
                editor.execute("UPDATE customers_customer SET age = 60 WHERE customer_id = 1")
                editor.commit()

            tally, _ = together(lambda: load(staged_row(1, age=43), staged_row(2, age=43)), edit_the_other)
        assert tally == RowCounts(changed=2)
        assert set(Customer.objects.values_list("age", flat=True)) == {43}

    def test_an_edit_that_never_ends_stops_the_load_and_the_slices_before_stay(self):
        load(staged_row(2))
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 60 WHERE customer_id = 2")
            with pytest.raises(LoadError, match=r"after 1 row was stored: a customer is being edited elsewhere"):
                load(staged_row(1, age=43), staged_row(2, age=43), slice_rows=1, patience_seconds=0.5)
        assert list(Customer.objects.order_by("pk").values_list("age", flat=True)) == [43, 42]

    def test_a_customer_whom_another_session_inserts_at_this_moment_is_brought_to_the_staged_values(self):
        with outsider(autocommit=False) as editor:
            columns, values = ", ".join(STORED), ", ".join(["%s"] * len(STORED))
            editor.execute(f"INSERT INTO customers_customer ({columns}) VALUES ({values})", staged_row(7, age=60))

            def finish_later():
                await_that(waiting_for_locks, "the load waits for the other's insert")
                editor.commit()

            tally, _ = together(lambda: load(staged_row(7, age=43)), finish_later)
        assert tally == RowCounts(changed=1)
        assert Customer.objects.get(pk=7).age == 43

    def test_two_loads_at_once_end_in_the_values_of_one_of_them(self):
        def load_all(age):
            return load(*(staged_row(n, age=age) for n in range(1, 201)), slice_rows=10)

        first, second = together(lambda: load_all(30), lambda: load_all(40))
        assert first + second == RowCounts(new=200, changed=200)
        assert len(set(Customer.objects.values_list("age", flat=True))) == 1

    def test_a_load_waits_while_another_stores_and_says_so(self):
        progress = Recorder()
        with outsider() as other:
            other.execute(turns.HOLD, [TURN])

            def finish_later():
                await_that(lambda: progress.said, "the load has noticed the other")
                found = other.execute("SELECT count(*) FROM customers_customer").fetchone()
                other.execute(turns.LEAVE, [TURN])
                return found

            tally, stored_meanwhile = together(lambda: load(staged_row(7), progress=progress), finish_later)
            assert (tally, stored_meanwhile) == (RowCounts(new=1), (0,))
            assert set(progress.said) == {"waiting for another import", "stored"}
            assert other.execute(turns.HOLD, [TURN]).rowcount == 1


class Recorder(Progress):
    def __init__(self):
        self.said = []

    def __call__(self, what, rows):
        self.said.append(what)


@pytest.mark.django_db(transaction=True)
class TestRefusalsOfTheDatabase:
    def test_an_impossible_value_stops_the_load_and_the_slices_before_stay(self):
        rows = [staged_row(1), staged_row(2), staged_row(3, surname="Secret", age=200), staged_row(4)]
        with pytest.raises(LoadError) as caught:
            load(*rows, slice_rows=2)
        assert str(caught.value).startswith("The import stopped after 2 rows were stored: new row for relation")
        assert "customer_age_is_possible" in str(caught.value)
        assert "Secret" not in str(caught.value)
        assert list(Customer.objects.order_by("pk").values_list("pk", flat=True)) == [1, 2]

    def test_the_same_again_after_an_interruption_finishes_the_job(self):
        with pytest.raises(LoadError):
            load(staged_row(1), staged_row(2, age=200), slice_rows=1)
        assert load(staged_row(1), staged_row(2), slice_rows=1) == RowCounts(new=1, unchanged=1)

    @pytest.mark.parametrize(
        "row", [staged_row(7), (*staged_row(8)[:3], "France" * 11, *staged_row(8)[4:]), staged_row(9, "\0")]
    )
    def test_rows_that_cannot_even_be_staged_store_nothing(self, row):
        with pytest.raises(LoadError, match=r"^Nothing was imported; the file could not be prepared") as caught:
            load(staged_row(7), row)
        assert "Maronard" not in str(caught.value)
        assert not Customer.objects.exists()

    def test_a_lost_connection_is_called_so(self):
        make_customer(customer_id=500)

        def rows():
            yield staged_row(1)
            with outsider() as killer:
                killer.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
            for customer_id in range(2, 200_000):
                yield staged_row(customer_id)

        with pytest.raises(LoadError, match="connection"):
            load_lazily(rows())
        connection.close()
        assert Customer.objects.count() == 1

    def test_what_the_rows_themselves_raise_passes_through(self):
        def rows():
            yield staged_row(1)
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            load_lazily(rows())
        assert not Customer.objects.exists()


def load_lazily(rows):
    with staged(rows, STORED) as staging:
        return staging.store()
