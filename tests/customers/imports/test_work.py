"""What the workers do about imports: jobs that run twice, late, or die in the middle."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from customers import background
from customers.bulk import SLICE_ROWS, LoadError, Staging
from customers.imports import steps, work
from customers.imports.models import ImportBatch, ImportPiece
from customers.models import Customer
from events import jobs
from tests.customers.csv_import.texts import HEADER, row, rows, text_of
from tests.others import outsider

State = ImportBatch.State


class Killed(BaseException):
    """As by kill -9: no code of ours sees it."""


@pytest.fixture(autouse=True)
def left(monkeypatch):
    """The jobs that were left to the workers."""
    told = []
    monkeypatch.setattr(background, "_queue", told.append)
    return told


def begun(*body):
    batch = ImportBatch(file_name="bank.csv")
    steps.begin(batch, [text_of([HEADER, *body]).encode()])
    return batch


def confirmed(*body):
    batch = begun(*body)
    work.work_off()
    user = get_user_model().objects.create_user("clerk")
    assert steps.confirm(ImportBatch.objects.get(pk=batch.pk), user.pk)
    return batch


def now(batch):
    batch.refresh_from_db()
    return batch


@pytest.mark.django_db
class TestTwice:
    def test_a_job_that_finds_nothing_due_does_nothing(self):
        assert work.work_off() == 0

    def test_a_job_that_comes_twice_does_it_once(self):
        batch = confirmed(*rows(3))
        assert work.work_off() == 1
        version = Customer.objects.get(pk=1).version
        assert work.work_off() == 0
        assert (now(batch).stored_rows, Customer.objects.get(pk=1).version) == (3, version)

    def test_what_is_confirmed_twice_is_imported_once(self):
        batch = confirmed(row(1))
        assert not steps.confirm(batch, 1)

    def test_several_are_brought_on_one_after_the_other(self):
        first, second = begun(row(1)), begun(row(2))
        assert work.work_off() == 2
        assert (now(first).state, now(second).state) == (State.CHECKED, State.CHECKED)


@pytest.mark.django_db(transaction=True)
class TestInTheMiddle:
    def test_while_one_worker_is_at_it_the_others_leave_it_to_him(self):
        begun(row(1))
        with outsider() as other:
            other.execute("SELECT pg_advisory_lock(%s)", [work.TURN])
            assert work.work_off() == 0
            other.execute("SELECT pg_advisory_unlock(%s)", [work.TURN])
        assert work.work_off() == 1

    def test_a_worker_that_dies_in_the_middle_leaves_the_rest_to_the_next(self, monkeypatch):
        batch = confirmed(*rows(SLICE_ROWS + 3))
        store_once = Staging._store_once

        def once_and_then_die(staging, piece):
            if piece.low:
                raise Killed
            return store_once(staging, piece)

        monkeypatch.setattr(Staging, "_store_once", once_and_then_die)
        with pytest.raises(Killed):
            work.work_off()
        connection.close()  # as the death of the process would
        assert (now(batch).state, batch.stored_rows, batch.stored_new) == (State.CONFIRMED, SLICE_ROWS, SLICE_ROWS)
        assert Customer.objects.count() == SLICE_ROWS
        monkeypatch.setattr(Staging, "_store_once", store_once)
        Customer.objects.filter(pk=1).update(age=71)  # an edit after the first slice, which the second run leaves alone
        jobs.go_on_with_imports()
        assert (now(batch).state, batch.stored_new, batch.stored_changed) == (State.IMPORTED, SLICE_ROWS + 3, 0)
        assert Customer.objects.get(pk=1).age == 71

    def test_what_was_stored_and_what_is_told_of_it_are_one_transaction(self, monkeypatch):
        batch = confirmed(row(1))
        monkeypatch.setattr(work.Books, "note", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            work.work_off()
        connection.close()
        assert not Customer.objects.exists()
        assert now(batch).stored_rows == 0

    def test_cancelled_while_rows_are_stored_it_stops_at_the_next_slice(self, monkeypatch):
        batch = confirmed(*rows(SLICE_ROWS + 3))
        store_once = Staging._store_once

        def cancelled_before_the_second(staging, piece):
            if piece.low:
                with outsider() as other:
                    other.execute("UPDATE customers_importbatch SET state = 'cancelled'")
            return store_once(staging, piece)

        monkeypatch.setattr(Staging, "_store_once", cancelled_before_the_second)
        work.work_off()
        assert (now(batch).state, batch.stored_rows) == (State.CANCELLED, SLICE_ROWS)
        assert Customer.objects.count() == SLICE_ROWS

    def test_when_the_time_is_up_a_next_job_goes_on(self, settings, left):
        batch = confirmed(*rows(3))
        settings.DRAIN_SECONDS = 0.0001
        left.clear()
        for _ in range(10):
            if now(batch).state == State.IMPORTED:
                break
            work.work_off()
        assert left  # at least one went on where another had to end
        assert set(left) == {"customers.imports.work.work_off"}
        assert (batch.state, batch.stored_rows) == (State.IMPORTED, 3)

    def test_somebody_else_s_open_edit_stops_it_with_the_reason_and_it_can_go_on(self, monkeypatch):
        monkeypatch.setattr(work, "LOCK_PATIENCE_SECONDS", 0.1)
        Customer.objects.create(customer_id=1, **stored_as(row(1)), surname="Other")
        batch = confirmed(row(1), row(2))
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET surname = 'Held' WHERE customer_id = 1")
            work.work_off()
        assert now(batch).state == State.STOPPED
        assert "somebody's open edit holds a customer" in batch.message
        assert steps.confirm(batch, batch.confirmed_by_id)
        work.work_off()
        assert (now(batch).state, batch.message, batch.stored_new) == (State.IMPORTED, "", 1)


@pytest.mark.django_db
class TestGivingUp:
    def test_a_file_that_kills_every_worker_is_left_to_a_person(self, monkeypatch):
        batch = begun(row(1))
        monkeypatch.setattr(work, "check", lambda batch: (_ for _ in ()).throw(Killed))
        for _ in range(work.MOST_ATTEMPTS):
            with pytest.raises(Killed):
                work.work_off()
        work.work_off()
        assert (now(batch).state, batch.message) == (State.REFUSED, work.GAVE_UP)

    def test_an_import_that_comes_to_nothing_stops_and_can_be_confirmed_again(self, monkeypatch):
        batch = confirmed(row(1))
        store = work.store
        monkeypatch.setattr(work, "store", lambda batch: (_ for _ in ()).throw(Killed))
        for _ in range(work.MOST_ATTEMPTS):
            with pytest.raises(Killed):
                work.work_off()
        work.work_off()
        assert (now(batch).state, batch.attempts) == (State.STOPPED, 0)
        monkeypatch.setattr(work, "store", store)
        assert steps.confirm(batch, batch.confirmed_by_id)
        work.work_off()
        assert now(batch).state == State.IMPORTED

    def test_what_the_database_refuses_is_said(self, monkeypatch):
        batch = confirmed(row(1))
        monkeypatch.setattr(
            Staging, "store", lambda *_args, **_how: (_ for _ in ()).throw(LoadError("The table is gone."))
        )
        work.work_off()
        assert (now(batch).state, batch.message) == (State.STOPPED, "The table is gone.")


@pytest.mark.django_db
class TestForgetting:
    def test_what_nobody_confirms_is_cancelled_and_forgotten_in_time(self, settings):
        old, young = begun(row(1)), begun(row(2))
        work.work_off()
        ImportBatch.objects.filter(pk=old.pk).update(state_since=timezone.now() - timedelta(days=15))
        jobs.prune_history()
        assert (now(old).state, now(young).state) == (State.CANCELLED, State.CHECKED)
        assert set(ImportPiece.objects.values_list("batch", flat=True)) == {young.pk}

    def test_rejected_rows_are_forgotten_and_the_record_stays(self):
        batch = confirmed(row(1), row(2, Age="200"))
        work.work_off()
        assert ImportPiece.objects.exists()
        ImportBatch.objects.update(state_since=timezone.now() - timedelta(days=15))
        assert steps.forget(timezone.now() - timedelta(days=14)) == 1
        assert not ImportPiece.objects.exists()
        assert (now(batch).state, batch.rejected) == (State.IMPORTED, 1)

    def test_what_the_workers_have_yet_to_do_is_not(self):
        batch = begun(row(1))
        ImportBatch.objects.update(state_since=timezone.now() - timedelta(days=15))
        assert steps.forget(timezone.now() - timedelta(days=14)) == 0
        assert now(batch).state == State.UPLOADED


def stored_as(cells):
    told = dict(zip(HEADER, cells, strict=True))
    return {
        "credit_score": int(told["CreditScore"]),
        "geography": told["Geography"],
        "gender": told["Gender"],
        "age": int(told["Age"]),
        "tenure": int(told["Tenure"]),
        "balance": told["Balance"],
        "num_of_products": int(told["NumOfProducts"]),
        "has_cr_card": told["HasCrCard"] == "1",
        "is_active_member": told["IsActiveMember"] == "1",
    }
