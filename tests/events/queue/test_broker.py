"""django-q2's broker as a listener: jobs and notifications arrive without polling, and nothing breaks it for long."""

import pickle
from datetime import UTC, datetime, timedelta
from time import monotonic

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.utils import timezone as django_timezone
from django_q.brokers import get_broker
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from events.models.engine import Worker
from events.queue import broker as broker_module
from events.queue import dispatch, lease
from events.queue.broker import ListenBroker
from events.worker import heartbeat
from tests.factories import A_CUSTOMER, forget_marks, make_scored, no_lease_is_held
from tests.others import await_that, meanwhile, outsider, together

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS_WITHOUT_NOTICE = 60  # a test that gets an answer has not waited for this: it was notified


@pytest.fixture
def broker(settings, monkeypatch):
    """A broker that listens, has woken a worker for the model file, and from now on is notified or waits very long."""
    settings.LOOK_SECONDS = 3600
    broker = ListenBroker("vigilpay")
    [(job, _payload)] = broker.dequeue()
    broker.acknowledge(job)
    no_lease_is_held()
    monkeypatch.setattr(broker_module, "DEQUEUE_SECONDS", SECONDS_WITHOUT_NOTICE)
    yield broker
    broker._listener.close()


@pytest.fixture
def impatient(monkeypatch):
    """dequeue answers at once, with a job or without."""

    def be_impatient():
        monkeypatch.setattr(broker_module, "DEQUEUE_SECONDS", 0.0)

    return be_impatient


def test_the_settings_name_this_broker():
    assert isinstance(get_broker(), ListenBroker)
    assert get_broker().list_key == "vigilpay"


def test_what_is_queued_comes_out_once(broker, impatient):
    number = broker.enqueue("a signed payload")
    assert broker.dequeue() == [(number, "a signed payload")]
    impatient()
    assert not broker.dequeue()


def test_jobs_come_out_in_the_order_they_went_in(broker):
    numbers = [broker.enqueue(str(i)) for i in range(3)]
    assert [broker.dequeue()[0][0] for _ in numbers] == numbers


def test_a_job_of_another_queue_is_left_alone(broker, impatient):
    ListenBroker("another").enqueue("not ours")
    impatient()
    assert not broker.dequeue()


def test_a_job_that_can_not_be_read_is_gone_and_is_no_claim_of_a_worker_that_stalls(broker):
    number = broker.enqueue("signed by another key")
    assert broker.dequeue() == [(number, "signed by another key")]
    assert Worker.objects.get().claimed_at
    broker.fail(number)
    assert not OrmQ.objects.exists()
    assert Worker.objects.get().claimed_at is None


def test_a_waiting_broker_is_woken_by_a_job(broker):
    def queue_when_it_waits():
        wait_until_it_listens()
        async_task(dispatch.PRUNE_JOB)

    with meanwhile(queue_when_it_waits):
        jobs = broker.dequeue()
    assert len(jobs) == 1


@pytest.mark.parametrize("edit", ["UPDATE customers_customer SET age = 44", "INSERT"])
def test_a_waiting_broker_is_woken_by_an_edit_in_plain_sql_and_queues_the_job_itself(broker, edit):
    if edit != "INSERT":
        make_scored()
        while broker._listener.wait(0):  # that was a notification, too
            pass

    def edit_when_it_waits():
        wait_until_it_listens()
        with outsider() as editor:
            insert(editor) if edit == "INSERT" else editor.execute(edit)

    with meanwhile(edit_when_it_waits):
        jobs = broker.dequeue()
    assert [job_id for job_id, _payload in jobs] == list(OrmQ.objects.values_list("id", flat=True))
    assert OrmQ.objects.get().func() == "events.jobs.rescore_stale"


def test_a_notification_that_came_while_it_was_busy_is_not_lost(broker):
    broker.enqueue("some job")
    with outsider() as editor:
        insert(editor)
    first, second = broker.dequeue(), broker.dequeue()
    assert len(first) == len(second) == 1


def test_a_save_of_djangos_notifies_and_wakes_and_is_one_job_all_the_same(broker, impatient):
    with outsider() as editor:
        insert(editor)
    assert dispatch.wake()
    impatient()
    given = [broker.dequeue() for _ in range(3)]
    assert [len(jobs) for jobs in given] == [1, 0, 0]
    assert OrmQ.objects.count() == 1


def test_a_notification_answered_before_the_save_wakes_leaves_it_nothing_to_queue(broker):
    with outsider() as editor:
        insert(editor)
    assert len(broker.dequeue()) == 1
    assert not dispatch.wake()
    assert OrmQ.objects.count() == 1


def test_a_job_that_a_notification_has_become_is_claimed_like_any_other(broker, impatient):
    broker._listener.report_polling(heartbeat.worker_name(), "here")
    with outsider() as editor:
        insert(editor)
    [(number, payload)] = broker.dequeue()
    task = SignedPackage.loads(payload)
    assert (task["func"], task["args"], task["kwargs"]) == (dispatch.RESCORE_JOB, (), {})
    assert Worker.objects.get().claimed_at is not None
    impatient()
    assert not broker.dequeue()
    broker.acknowledge(number)
    assert not OrmQ.objects.exists()
    assert Worker.objects.get().claimed_at is None


def test_of_several_that_are_notified_one_answers(broker, impatient):
    brokers = [broker, ListenBroker("vigilpay"), ListenBroker("vigilpay")]
    for it in brokers:
        it._poll_due = monotonic() + 3600
        it._listener.wait(0)  # it listens
    impatient()
    with outsider() as editor:
        insert(editor)
    given = [len(it.dequeue() or []) for it in brokers * 2]
    for it in brokers:
        it._listener.close()
    assert sum(given) == 1
    assert OrmQ.objects.count() == 1


def test_an_edit_without_a_notification_is_found_by_its_own_poll(broker, settings):
    lease.extend(60)
    with outsider() as editor:
        insert(editor)  # silent, for the lease is held
    no_lease_is_held()  # for its holder was killed
    settings.LOOK_SECONDS = 0.05
    broker._poll_due = 0.0
    assert len(broker.dequeue()) == 1


def test_a_poll_that_finds_nothing_queues_nothing(broker, impatient, settings):
    make_scored()
    forget_marks()
    OrmQ.objects.all().delete()
    no_lease_is_held()
    settings.LOOK_SECONDS = 0.0
    impatient()
    broker._poll_due = 0.0
    assert not broker.dequeue()
    assert not OrmQ.objects.exists()


def test_a_new_model_file_wakes_a_worker_once(settings, assets, another_forest, impatient):
    make_scored()
    forget_marks()
    broker = ListenBroker("vigilpay")
    settings.LOOK_SECONDS = 0.0
    impatient()
    found = []
    for _ in range(2):
        OrmQ.objects.all().delete()
        no_lease_is_held()
        found.append(len(broker.dequeue() or []))
    (assets / "model.pkl").write_bytes(another_forest.read_bytes())
    for _ in range(2):
        OrmQ.objects.all().delete()
        no_lease_is_held()
        found.append(len(broker.dequeue() or []))
    broker._listener.close()
    assert found == [1, 0, 1, 0]


def test_it_survives_the_loss_of_every_connection_it_uses(broker, impatient, settings):
    """As after a restart of PostgreSQL: its own connection and Django's are gone."""
    settings.LOOK_SECONDS = 0.0
    broker._poll_due = 0.0
    terminate_all_others()
    impatient()
    answers = [broker.dequeue() for _ in range(3)]
    assert not any(answers)
    with outsider() as editor:
        insert(editor)
    assert len(broker.dequeue()) == 1


def test_an_outage_is_one_line_and_its_end_another(broker, impatient, monkeypatch, caplog):
    impatient()
    away = [psycopg.OperationalError("away")] * 3

    def claim(*args):
        if away:
            raise away.pop()
        return []

    monkeypatch.setattr(broker._listener, "claim", claim)
    for _ in range(5):
        broker.dequeue()
    first, second = caplog.messages
    assert first.startswith("The broker lost PostgreSQL")
    assert second.startswith("The broker has PostgreSQL again")


def test_it_survives_the_loss_of_its_own_connection_while_it_waits(broker):
    def terminate_when_it_waits():
        wait_until_it_listens()
        terminate_all_others()

    with meanwhile(terminate_when_it_waits):
        answer = broker.dequeue()
    assert answer is None
    connection.close()  # ours; in a worker it belongs to another process
    number = broker.enqueue("after the loss")
    assert broker.dequeue()[0][0] == number


def test_several_brokers_never_get_the_same_job(broker, impatient):
    numbers = {broker.enqueue(str(i)) for i in range(60)}
    impatient()

    def take_all():
        taker, taken = ListenBroker("vigilpay"), []
        while len(taken) <= len(numbers) and (jobs := taker.dequeue()):
            taken += [number for number, _payload in jobs]
        taker._listener.close()
        return taken

    taken = together(*[take_all] * 4)
    ours = [number for part in taken for number in part if number in numbers]
    assert sorted(ours) == sorted(numbers)


def test_a_job_that_is_not_acknowledged_is_given_out_again_after_the_retry_time(broker, impatient):
    number = broker.enqueue("whose worker was killed")
    broker.dequeue()
    impatient()
    assert not broker.dequeue()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_q_ormq SET lock = lock - make_interval(secs => %s)", [Conf.RETRY])
    assert broker.dequeue() == [(number, "whose worker was killed")]


def test_an_acknowledged_job_never_comes_back(broker, impatient):
    number = broker.enqueue("done")
    broker.dequeue()
    broker.acknowledge(number)
    assert not OrmQ.objects.exists()


def test_a_job_is_due_by_the_databases_clock_whatever_that_of_the_machine_says(broker, impatient, monkeypatch):
    monkeypatch.setattr(django_timezone, "now", lambda: datetime.now(UTC) + timedelta(minutes=5))
    number = broker.enqueue("from tomorrow")
    impatient()
    assert broker.dequeue() == [(number, "from tomorrow")]


def test_a_job_that_is_queued_in_a_transaction_notifies_only_when_that_commits(broker, impatient):
    with outsider() as looker, transaction.atomic():
        broker.enqueue("not yet")
        assert looker.execute("SELECT count(*) FROM django_q_ormq").fetchone() == (0,)
    assert len(broker.dequeue()) == 1


def test_it_can_be_sent_to_another_process(broker):
    copy = pickle.loads(pickle.dumps(broker))
    number = copy.enqueue("through the copy")
    assert copy.dequeue()[0][0] == number
    copy._listener.close()


def test_it_connects_only_when_it_is_used_for_it_is_made_before_the_fork(monkeypatch):
    connect, made = connections.create_connection, []
    monkeypatch.setattr(connections, "create_connection", lambda alias: made.append(alias) or connect(alias))
    broker = ListenBroker("vigilpay")
    assert made == []
    broker.dequeue()
    broker.dequeue()
    assert made == ["default"]
    broker._listener.close()


def insert(editor):
    columns = ", ".join(["customer_id", *A_CUSTOMER])
    places = ", ".join(["%s"] * (1 + len(A_CUSTOMER)))
    editor.execute(f"INSERT INTO customers_customer ({columns}) VALUES ({places})", [1, *A_CUSTOMER.values()])


def wait_until_it_listens():
    """Its connection has nothing to do: the last thing it said was to look for jobs."""
    listening = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' "
        "AND query LIKE '%UPDATE django_q_ormq AS job%' AND pid <> pg_backend_pid()"
    )
    with outsider() as looker:
        await_that(lambda: looker.execute(listening).fetchone()[0], "the broker listens")


def terminate_all_others():
    with outsider() as administrator:
        administrator.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
