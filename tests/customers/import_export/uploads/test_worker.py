"""What the workers do about imports: jobs that run twice, late, or die in the middle."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from customers import turns
from customers.import_export.load_errors import LoadError
from customers.import_export.staging import SLICE_ROWS, Staging
from customers.import_export.uploads import steps, worker
from customers.models import CategoryAlias, Customer, ModelRelease
from customers.models.imports import ImportBatch, ImportPiece
from events import jobs
from tests.customers.import_export.csv_files.texts import HEADER, row, rows, text_of, without
from tests.others import await_that, outsider, together, waiting_for_locks

State = ImportBatch.State


class Killed(BaseException):
    """As by kill -9: no code of ours sees it."""


@pytest.fixture(autouse=True)
def left(monkeypatch):
    """The jobs that were left to the workers."""
    told = []
    monkeypatch.setattr("events.queue.dispatch.async_task", told.append)
    return told


def begun(*body, header=HEADER, **fields):
    batch = ImportBatch(file_name="bank.csv", **fields)
    steps.begin(batch, [text_of([header, *body]).encode()])
    return batch


def confirmed(*body, **fields):
    batch = begun(*body, **fields)
    worker.work_off()
    user = get_user_model().objects.create_user("clerk")
    assert steps.confirm(ImportBatch.objects.get(pk=batch.pk), user.pk)
    return batch


def now(batch):
    batch.refresh_from_db()
    return batch


@pytest.mark.django_db
class TestTwice:
    def test_a_job_that_finds_nothing_due_does_nothing(self):
        assert worker.work_off() == 0

    def test_a_job_that_comes_twice_does_it_once(self):
        batch = confirmed(*rows(3))
        assert worker.work_off() == 1
        version = Customer.objects.get(pk=1).version
        assert worker.work_off() == 0
        assert (now(batch).stored_rows, Customer.objects.get(pk=1).version) == (3, version)

    def test_what_is_confirmed_twice_is_imported_once(self):
        batch = confirmed(row(1))
        assert not steps.confirm(batch, 1)

    def test_several_are_brought_on_one_after_the_other(self):
        first, second = begun(row(1)), begun(row(2))
        assert worker.work_off() == 2
        assert (now(first).state, now(second).state) == (State.CHECKED, State.CHECKED)


@pytest.mark.django_db(transaction=True)
class TestInTheMiddle:
    def test_while_one_worker_is_at_it_the_others_leave_it_to_him(self):
        begun(row(1))
        with outsider() as other:
            other.execute(turns.HOLD, [worker.TURN])
            assert worker.work_off() == 0
            other.execute(turns.LEAVE, [worker.TURN])
        assert worker.work_off() == 1

    def test_a_worker_that_dies_in_the_middle_leaves_the_rest_to_the_next(self, monkeypatch):
        batch = confirmed(*rows(SLICE_ROWS + 3))
        store_once = Staging._store_once

        def once_and_then_die(staging, piece):
            if piece.low:
                raise Killed
            return store_once(staging, piece)

        monkeypatch.setattr(Staging, "_store_once", once_and_then_die)
        with pytest.raises(Killed):
            worker.work_off()
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
        monkeypatch.setattr(worker.BatchProgress, "after", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            worker.work_off()
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
        worker.work_off()
        assert (now(batch).state, batch.stored_rows) == (State.CANCELLED, SLICE_ROWS)
        assert Customer.objects.count() == SLICE_ROWS

    def test_when_the_time_is_up_a_next_job_goes_on(self, settings, left):
        batch = confirmed(*rows(3))
        settings.DRAIN_SECONDS = 0.0001
        left.clear()
        for _ in range(10):
            if now(batch).state == State.IMPORTED:
                break
            worker.work_off()
        assert left  # at least one went on where another had to end
        assert set(left) == {"events.jobs.go_on_with_imports"}
        assert (batch.state, batch.stored_rows) == (State.IMPORTED, 3)

    def test_an_open_edit_stops_it_with_the_reason_and_it_can_go_on(self, monkeypatch):
        monkeypatch.setattr(worker, "LOCK_PATIENCE_SECONDS", 0.1)
        Customer.objects.create(customer_id=1, **stored_as(row(1)), surname="Other")
        batch = confirmed(row(1), row(2))
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET surname = 'Held' WHERE customer_id = 1")
            worker.work_off()
        assert now(batch).state == State.STOPPED
        assert "a customer is being edited elsewhere" in batch.message
        assert steps.confirm(batch, batch.confirmed_by_id)
        worker.work_off()
        assert (now(batch).state, batch.message, batch.stored_new) == (State.IMPORTED, "", 1)


def customer(customer_id, **fields):
    return Customer.objects.create(
        customer_id=customer_id, **{**stored_as(row(customer_id)), "surname": "Maronard"} | fields
    )


def delete(customer_id):
    Customer.objects.filter(pk=customer_id).delete()


def replace(customer_id, **fields):
    delete(customer_id)
    customer(customer_id, **fields)


@pytest.mark.django_db
class TestChangedSinceTheCheck:
    """The file says 50 years of customers 1 to 3, of whom 1 and 2 are there, with 42."""

    @pytest.fixture
    def batch(self):
        customer(1), customer(2)
        return confirmed(*rows(3, Age="50"))

    @pytest.mark.parametrize(
        ("edit", "ids"),
        [
            (lambda: Customer.objects.filter(pk=1).update(age=60), [1]),
            (lambda: Customer.objects.filter(pk=2).update(surname="Norliville"), [2]),  # no new version
            (lambda: Customer.objects.update(balance=5), [1, 2]),
            (lambda: customer(3), [3]),
            (lambda: delete(1), [1]),
            (lambda: replace(1, age=43), [1]),  # version 1 again
        ],
        ids=["edited", "renamed", "both", "added", "deleted", "deleted and added"],
    )
    def test_nothing_is_stored_and_the_page_asks_again_with_those_customers(self, batch, edit, ids):
        edit()
        before = sorted(Customer.objects.values_list())
        worker.work_off()
        assert (now(batch).state, batch.changed_since_check) == (State.CHECKED, {"customers": len(ids), "ids": ids})
        assert "edited, added or deleted since the check of" in batch.message
        assert sorted(Customer.objects.values_list()) == before
        assert (batch.confirmed_at, batch.stored_rows, batch.good_rows) == (None, 0, 3)

    def test_what_the_import_would_do_is_counted_anew(self, batch):
        assert (now(batch).new, batch.changed) == (1, 2)
        delete(1)
        worker.work_off()
        assert (now(batch).new, batch.changed, batch.unchanged) == (2, 1, 0)

    def test_confirmed_once_more_it_is_imported(self, batch):
        Customer.objects.filter(pk=1).update(age=60)
        worker.work_off()
        assert steps.confirm(batch, batch.confirmed_by_id)
        worker.work_off()
        assert (now(batch).state, batch.stored_new, batch.stored_changed) == (State.IMPORTED, 1, 2)
        assert set(Customer.objects.values_list("age", flat=True)) == {50}
        assert batch.changed_since_check == {"customers": 1, "ids": [1]}  # the record of the edits that gave way
        assert not ImportPiece.objects.exists()

    def test_edited_again_meanwhile_it_asks_again(self, batch):
        for age in (60, 61):
            Customer.objects.filter(pk=1).update(age=age)
            worker.work_off()
            assert (now(batch).state, batch.changed_since_check["ids"]) == (State.CHECKED, [1])
            steps.confirm(batch, batch.confirmed_by_id)
        worker.work_off()
        assert now(batch).state == State.IMPORTED

    @pytest.mark.parametrize(
        "edit",
        [
            lambda: Customer.objects.filter(pk=1).update(age=50),
            lambda: customer(9),
            lambda: [Customer.objects.filter(pk=1).update(age=age) for age in (60, 42)],
            lambda: Customer.objects.update(churn_risk_score=0.5),
        ],
        ids=["to what the file says", "another customer", "there and back", "scored"],
    )
    def test_where_nothing_would_be_lost_nothing_is_asked(self, batch, edit):
        edit()
        worker.work_off()
        assert (now(batch).state, batch.changed_since_check) == (State.IMPORTED, None)

    def test_very_many_are_counted_and_the_first_are_named(self):
        batch = confirmed(*rows(150, Age="50"))
        Customer.objects.bulk_create(Customer(customer_id=n, **stored_as(row(n))) for n in range(1, 151))
        worker.work_off()
        assert now(batch).changed_since_check == {"customers": 150, "ids": list(range(1, 101))}

    def test_an_edit_of_a_column_that_the_file_lacks_is_not_lost(self):
        customer(1)
        batch = ImportBatch(file_name="bank.csv")
        steps.begin(batch, [text_of(without("Surname", [HEADER, row(1, Age="50")])).encode()])
        worker.work_off()
        steps.confirm(batch, get_user_model().objects.create_user("clerk").pk)
        Customer.objects.update(surname="Norliville")
        worker.work_off()
        assert now(batch).state == State.IMPORTED

    def test_a_check_from_before_an_upgrade_is_made_again(self, batch):
        ImportBatch.objects.update(checked_at=None)
        batch.pieces.filter(of="seen").delete()
        worker.work_off()
        assert (now(batch).state, batch.message) == (
            State.CHECKED,
            "The file was checked by an older version and has been compared again. Confirm the import again.",
        )
        steps.confirm(batch, batch.confirmed_by_id)
        worker.work_off()
        assert now(batch).state == State.IMPORTED


@pytest.mark.django_db(transaction=True)
class TestChangedWhileRowsAreStored:
    def test_an_edit_behind_the_first_slice_stops_it_there(self, monkeypatch):
        Customer.objects.bulk_create(Customer(customer_id=n, **stored_as(row(n))) for n in (SLICE_ROWS, SLICE_ROWS + 3))
        batch = confirmed(*rows(SLICE_ROWS + 3, Age="50"))
        compare = Staging._compare

        def edited_before_the_second(staging, piece):
            if piece.low:
                with outsider() as other:
                    other.execute("UPDATE customers_customer SET age = 60")
            return compare(staging, piece)

        monkeypatch.setattr(Staging, "_compare", edited_before_the_second)
        worker.work_off()
        monkeypatch.setattr(Staging, "_compare", compare)
        last = SLICE_ROWS + 3
        assert (now(batch).state, batch.stored_rows) == (State.STOPPED, SLICE_ROWS)
        assert batch.changed_since_check == {"customers": 1, "ids": [last]}
        assert Customer.objects.get(pk=last).age == 60
        assert steps.confirm(batch, batch.confirmed_by_id)
        worker.work_off()
        assert (now(batch).state, batch.stored_rows) == (State.IMPORTED, last)
        assert (Customer.objects.get(pk=last).age, Customer.objects.get(pk=1).age) == (50, 60)

    def test_an_edit_in_the_last_slice_that_was_there_before_keeps_the_first_from_being_stored(self):
        last = SLICE_ROWS + 3
        customer(last)
        batch = confirmed(*rows(last, Age="50"))
        Customer.objects.update(age=60)
        worker.work_off()
        assert (now(batch).state, batch.stored_rows, Customer.objects.count()) == (State.CHECKED, 0, 1)

    def test_an_open_edit_that_a_slice_waits_for_is_not_overwritten(self):
        customer(1)
        batch = confirmed(row(1, Age="50"))
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 60")

            def finish_later():
                await_that(waiting_for_locks, "the import waits for the edit")
                editor.commit()

            together(worker.work_off, finish_later)
        assert (now(batch).state, batch.changed_since_check) == (State.CHECKED, {"customers": 1, "ids": [1]})
        assert Customer.objects.get(pk=1).age == 60


@pytest.mark.django_db
class TestGivingUp:
    def test_a_file_that_kills_every_worker_is_left_to_a_person(self, monkeypatch):
        batch = begun(row(1))
        monkeypatch.setattr(worker, "check", lambda batch: (_ for _ in ()).throw(Killed))
        for _ in range(worker.MOST_ATTEMPTS):
            with pytest.raises(Killed):
                worker.work_off()
        worker.work_off()
        assert (now(batch).state, batch.message) == (State.REFUSED, worker.GAVE_UP)

    def test_an_import_that_comes_to_nothing_stops_and_can_be_confirmed_again(self, monkeypatch):
        batch = confirmed(row(1))
        store = worker.store_customers
        monkeypatch.setattr(worker, "store_customers", lambda batch: (_ for _ in ()).throw(Killed))
        for _ in range(worker.MOST_ATTEMPTS):
            with pytest.raises(Killed):
                worker.work_off()
        worker.work_off()
        assert (now(batch).state, batch.attempts) == (State.STOPPED, 0)
        monkeypatch.setattr(worker, "store_customers", store)
        assert steps.confirm(batch, batch.confirmed_by_id)
        worker.work_off()
        assert now(batch).state == State.IMPORTED

    def test_what_the_database_refuses_is_said(self, monkeypatch):
        batch = confirmed(row(1))
        monkeypatch.setattr(
            Staging, "store", lambda *_args, **_how: (_ for _ in ()).throw(LoadError("The table is gone."))
        )
        worker.work_off()
        assert (now(batch).state, batch.message) == (State.STOPPED, "The table is gone.")


@pytest.mark.django_db
class TestForgetting:
    def test_what_is_never_confirmed_is_cancelled_and_forgotten_in_time(self, settings):
        old, young = begun(row(1)), begun(row(2))
        worker.work_off()
        ImportBatch.objects.filter(pk=old.pk).update(state_since=timezone.now() - timedelta(days=15))
        jobs.prune_history()
        assert (now(old).state, now(young).state) == (State.CANCELLED, State.CHECKED)
        assert set(ImportPiece.objects.values_list("batch", flat=True)) == {young.pk}

    def test_rejected_rows_are_forgotten_and_the_record_stays(self):
        batch = confirmed(row(1), row(2, Age="200"))
        worker.work_off()
        assert ImportPiece.objects.exists()
        ImportBatch.objects.update(state_since=timezone.now() - timedelta(days=15))
        assert steps.forget_imports(timezone.now() - timedelta(days=14)) == 1
        assert not ImportPiece.objects.exists()
        assert (now(batch).state, batch.rejected) == (State.IMPORTED, 1)

    def test_what_the_workers_have_yet_to_do_is_not(self):
        batch = begun(row(1))
        ImportBatch.objects.update(state_since=timezone.now() - timedelta(days=15))
        assert steps.forget_imports(timezone.now() - timedelta(days=14)) == 0
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


BY_EXTERNAL_ID = ["ExternalId", *HEADER[2:]]


def known_by(external_id, **cells):
    return [external_id, *row(0, **cells)[2:]]


@pytest.mark.django_db
class TestExternalIds:
    def test_new_customers_get_their_ids_when_they_are_stored(self):
        customer(7, external_id="A")
        batch = confirmed(known_by("A", Age="50"), known_by("B"), header=BY_EXTERNAL_ID)
        assert (now(batch).new, batch.changed) == (1, 1)
        worker.work_off()
        assert now(batch).state == State.IMPORTED
        assert list(Customer.objects.order_by("pk").values_list("pk", "external_id", "age")) == [
            (7, "A", 50),
            (8, "B", 42),
        ]

    def test_one_who_has_come_since_the_check_is_asked_about(self):
        batch = confirmed(known_by("A", Age="50"), header=BY_EXTERNAL_ID)
        customer(7, external_id="A")
        worker.work_off()
        assert (now(batch).state, batch.changed_since_check) == (State.CHECKED, {"customers": 1, "ids": [7]})

    def test_an_import_that_was_interrupted_goes_on_with_the_rest(self, settings):
        batch = confirmed(*(known_by(f"E{n:05}") for n in range(SLICE_ROWS + 3)), header=BY_EXTERNAL_ID)
        settings.DRAIN_SECONDS = 0.0001
        while now(batch).state == State.CONFIRMED:
            worker.work_off()
        assert (batch.state, batch.stored_new, batch.stored_rows) == (State.IMPORTED, SLICE_ROWS + 3, SLICE_ROWS + 3)
        assert Customer.objects.values("external_id").distinct().count() == SLICE_ROWS + 3


@pytest.mark.django_db
class TestConventions:
    def test_columns_are_read_under_the_names_that_the_upload_has_given(self):
        header = ["Kunde" if name == "CustomerId" else name for name in HEADER]
        batch = confirmed(row(7), header=header, conventions={"mapping": {"Kunde": "customer_id"}})
        worker.work_off()
        assert now(batch).state == State.IMPORTED
        assert Customer.objects.get().pk == 7

    def test_what_is_imported_is_what_was_checked_whatever_aliases_came_meanwhile(self):
        CategoryAlias.objects.create(field="geography", written="DE", meant="Germany")
        batch = confirmed(row(7, Geography="DE"))
        CategoryAlias.objects.update(meant="Spain")
        worker.work_off()
        assert now(batch).state == State.IMPORTED
        assert Customer.objects.get().geography == "Germany"

    def test_unknown_words_are_among_the_notes(self):
        ModelRelease.objects.create(sha256="a" * 64, fingerprint="a" * 64)
        batch = begun(row(7, Geography="Senegal"))
        worker.work_off()
        assert "Country Senegal: 1 row; the active model does not know it" in now(batch).notes

    def test_what_may_be_meant_is_said_in_words_of_the_page(self):
        release = ModelRelease.objects.create(sha256="a" * 64, fingerprint="a" * 64)
        release.metadata = {"encodings": {"geography": {"Germany": 0}, "gender": {"Femme": 0}}}
        release.save()
        batch = begun(row(7, Geography="Deutschland", Gender="Feme"))
        worker.work_off()
        told = " ".join(now(batch).notes)
        assert "Did you mean Germany? If so, add Deutschland = Germany under Category aliases and upload" in told
        assert "add Feme = Femme for gender under Category aliases and upload the file again." in told
        assert "manage.py" not in told
