"""From a save in Django to a queued job: when it commits, if it changed what the model reads, and never at its cost."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.core import serializers
from django.db import connection, connections, transaction
from django_q.models import OrmQ

from customers.models import Customer
from events import signals
from events.queue import dispatch
from tests.factories import A_CUSTOMER, make_customer, make_scored, no_lease_is_held
from tests.others import outsider

pytestmark = pytest.mark.django_db


@pytest.fixture
def jobs_after(django_capture_on_commit_callbacks):
    """How many jobs are queued once the edit has committed."""

    def jobs_after_commit_of(edit):
        with django_capture_on_commit_callbacks(execute=True):
            edit()
        return OrmQ.objects.count()

    return jobs_after_commit_of


def test_a_new_customer_queues_a_job(jobs_after):
    assert jobs_after(make_customer) == 1


def test_a_changed_field_queues_a_job(jobs_after):
    customer = make_scored()
    customer.age = 41
    assert jobs_after(customer.save) == 1


@pytest.mark.parametrize("update_fields", [None, ["surname"]])
def test_a_changed_surname_queues_nothing(jobs_after, update_fields):
    customer = make_scored()
    customer.surname = "Married"
    assert jobs_after(lambda: customer.save(update_fields=update_fields)) == 0


def test_a_save_that_changes_nothing_queues_nothing(jobs_after):
    customer = make_scored()
    assert jobs_after(customer.save) == 0
    assert jobs_after(lambda: customer.save(update_fields=["age", "surname"])) == 0


def test_a_new_value_that_is_not_among_the_fields_to_save_queues_nothing(jobs_after):
    customer = make_scored()
    customer.age = 41
    assert jobs_after(lambda: customer.save(update_fields=["surname"])) == 0


def test_an_instance_older_than_the_row_that_puts_an_old_value_back_queues_a_job(jobs_after):
    old_instance = make_scored()
    Customer.objects.filter(pk=old_instance.pk).update(age=77)
    assert jobs_after(old_instance.save) == 1


@pytest.mark.parametrize(("loaded", "jobs"), [(["surname"], 0), (["age"], 1), (["customer_id"], 0)])
def test_an_instance_with_deferred_fields_is_judged_by_what_it_saved(jobs_after, loaded, jobs):
    customer = Customer.objects.only(*loaded).get(pk=make_scored().pk)
    if "age" in loaded:
        customer.age = 41
    customer.surname = "Married"
    assert jobs_after(customer.save) == jobs


def test_an_instance_that_was_never_read_queues_a_job_for_what_it_overwrote(jobs_after):
    customer = make_scored()
    blind = Customer(customer_id=customer.pk, surname="Blind", **{**A_CUSTOMER, "age": 41})
    assert jobs_after(blind.save) == 1
    customer.refresh_from_db()
    assert (customer.version, customer.age) == (2, 41)


def test_an_instance_can_be_saved_again_and_again(jobs_after):
    customer = make_scored()
    customer.age = 41
    assert jobs_after(customer.save) == 1
    assert jobs_after(customer.save) == 1  # nothing new
    OrmQ.objects.all().delete()
    no_lease_is_held()
    customer.age = 42
    assert jobs_after(customer.save) == 1


def test_while_the_lease_is_known_to_be_held_a_save_asks_nothing(jobs_after, django_assert_num_queries):
    customer = make_scored()
    customer.age = 41
    assert jobs_after(customer.save) == 1
    customer.age = 42
    assert jobs_after(customer.save) == 1  # still the same job: the lease has been seen now
    customer.age = 43
    with django_assert_num_queries(2):  # the save, and the count of the jobs
        assert jobs_after(customer.save) == 1


def test_nothing_is_queued_before_the_edit_has_committed(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        make_customer()
        assert not OrmQ.objects.exists()
    assert callbacks


def test_an_edit_that_is_rolled_back_queues_nothing(jobs_after):
    def roll_back():
        with transaction.atomic():
            make_customer()
            transaction.set_rollback(True)

    assert jobs_after(roll_back) == 0


def test_an_edit_that_is_tried_again_after_a_rollback_queues_a_job(jobs_after):
    customer = make_scored()
    customer.age = 41

    def fail_then_succeed():
        with transaction.atomic():
            customer.save()
            transaction.set_rollback(True)
        with transaction.atomic():
            customer.save()

    assert jobs_after(fail_then_succeed) == 1


def test_a_customer_deleted_between_a_save_and_its_signal_is_no_error():
    customer = make_customer()
    Customer.objects.filter(pk=customer.pk).delete()
    signals.customer_saved(Customer, customer, created=False, update_fields=None)


def test_a_loaded_fixture_queues_a_job_whatever_version_it_names(jobs_after):
    make_scored(customer_id=901)
    Customer.objects.filter(pk=901).update(age=50)
    fixture = serializers.serialize("json", Customer.objects.all())
    Customer.objects.all().delete()
    make_scored(customer_id=901)

    def load():
        for loaded in serializers.deserialize("json", fixture):
            loaded.save()

    assert jobs_after(load) == 1
    assert Customer.objects.stale().get().version == 2  # as the fixture says, and yet it has moved


def test_two_hundred_saves_queue_one_job(jobs_after):
    def save_many():
        for _ in range(200):
            make_customer()

    assert jobs_after(save_many) == 1


@pytest.mark.django_db(transaction=True)
class TestBrokenQueue:
    """The row is stale already: whatever is wrong with the queue, the edit stands and the poll will find it."""

    def test_a_queue_that_raises_fails_no_edit(self, monkeypatch, caplog):
        def broken(*args, **options):
            raise RuntimeError("queue on fire")

        monkeypatch.setattr(dispatch, "pack_job", broken)
        customer = make_customer()
        assert list(Customer.objects.stale()) == [customer]
        assert "queue on fire" in caplog.text

    def test_nor_the_save_of_a_customer_who_was_there_already(self, monkeypatch, caplog):
        customer = make_customer()
        no_lease_is_held()

        def out_of_order():
            raise RuntimeError("the queue is out of order")

        monkeypatch.setattr(dispatch, "wake_unless_held", out_of_order)
        customer.age = 77
        customer.save()
        assert Customer.objects.get(pk=customer.pk).age == 77
        assert "the queue is out of order" in caplog.text

    def test_nor_inside_a_transaction_with_further_callbacks(self, monkeypatch, caplog):
        monkeypatch.setattr(dispatch, "pack_job", lambda function: 1 / 0)
        happened = []
        with transaction.atomic():
            make_customer()
            transaction.on_commit(lambda: happened.append("the caller's own callback"))
        assert happened
        assert "division by zero" in caplog.text

    def test_a_queue_table_that_is_gone_fails_no_edit(self, caplog):
        with without_table("django_q_ormq"):
            customer = make_customer()
        assert list(Customer.objects.stale()) == [customer]
        assert "django_q_ormq" in caplog.text

    def test_a_queue_table_that_is_gone_leaves_no_lease_that_is_not_kept(self):
        with without_table("django_q_ormq"):
            make_customer()
        assert dispatch.wake()

    def test_a_queue_table_that_is_locked_holds_up_no_edit(self, caplog):
        with outsider(autocommit=False) as locker, ThreadPoolExecutor(1) as editor:
            locker.execute("LOCK TABLE django_q_ormq IN ACCESS EXCLUSIVE MODE")
            saved = editor.submit(save_and_close)
            try:
                customer = saved.result(timeout=20)
            finally:
                locker.rollback()
        assert list(Customer.objects.stale()) == [customer]
        assert "lock timeout" in caplog.text


def save_and_close():
    try:
        return make_customer()
    finally:
        connections.close_all()


@contextmanager
def without_table(name):
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name} RENAME TO elsewhere")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE elsewhere RENAME TO {name}")
