"""What a machine without the active model leaves to others, and how it finds out that it has the model again."""

import pytest
from django_q.models import OrmQ

from customers.ml_service import ModelError
from events.queue import broker as broker_module
from events.queue import dispatch
from events.queue.broker import ListenBroker
from events.worker import model_state
from tests.factories import make_customer, make_scored, no_lease_is_held
from tests.others import outsider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def model_file(assets):
    """It was there once, and a job has found it missing."""
    make_scored()
    path = assets / "model.pkl"
    path.rename(assets / "away")
    model_state.report_unusable(ModelError("no model file"))
    return path


@pytest.fixture
def broker(settings, monkeypatch, model_file):
    settings.LOOK_SECONDS = 3600
    monkeypatch.setattr(broker_module, "DEQUEUE_SECONDS", 0.3)
    broker = ListenBroker("vigilpay")
    while jobs := broker.dequeue():
        broker.acknowledge(jobs[0][0])
    no_lease_is_held()
    yield broker
    broker._listener.close()


def edit():
    with outsider() as psql:
        psql.execute("UPDATE customers_customer SET age = 99 - age")


def test_as_long_as_nothing_has_failed_the_question_costs_no_query(assets, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert not model_state.is_missing()


def test_it_is_asked_again_until_the_model_is_there(model_file, assets):
    assert model_state.is_missing()
    (assets / "away").rename(model_file)
    assert not model_state.is_missing()


def test_a_notification_is_left_to_machines_that_can_score(broker):
    edit()
    assert not broker.dequeue()
    assert not OrmQ.objects.exists()


def test_its_own_look_still_wakes_machines_that_can(broker, settings):
    make_customer()
    no_lease_is_held()
    OrmQ.objects.all().delete()
    broker._poll_due = 0.0
    assert len(broker.dequeue()) == 1


def test_a_job_goes_to_another_machine_first(broker, monkeypatch):
    """Ours waits a moment before it claims; other work than scores goes on all the same."""
    other = ListenBroker("vigilpay")
    taken = []
    monkeypatch.setattr(broker_module, "sleep", lambda seconds: taken.extend(other._listener.claim("vigilpay")))
    dispatch.hand_over()
    assert not broker.dequeue()
    assert len(taken) == 1
    other._listener.close()


def test_when_the_model_is_there_again_it_answers_as_before(broker, model_file, assets):
    (assets / "away").rename(model_file)
    broker._poll_due = 0.0
    while jobs := broker.dequeue():
        broker.acknowledge(jobs[0][0])
    no_lease_is_held()
    edit()
    assert len(broker.dequeue()) == 1
