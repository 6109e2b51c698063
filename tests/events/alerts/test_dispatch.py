"""How a worker gets a message: from the drain that raised it, or from the broker's poll; never a hundred times."""

from datetime import timedelta

import pytest
from django.db.models import F
from django_q.models import OrmQ

from events import jobs
from events.alerts import outbox
from events.models.alerts import Delivery, Messenger
from events.queue import dispatch, pause
from events.queue.broker import ListenBroker
from tests.events.alerts.alerting import store, threshold
from tests.factories import make_customer

pytestmark = pytest.mark.django_db

SEND = "events.jobs.send_alerts"


def queued():
    return [job.task["func"] for job in OrmQ.objects.order_by("id")]


def make_message():
    threshold(0.5, by_webhook=True)
    store(make_customer(), 0.9)


def let_pass(seconds):
    Messenger.objects.update(called_until=F("called_until") - timedelta(seconds=seconds))


def test_without_a_message_nothing_is_queued():
    assert not dispatch.send_if_due()
    assert queued() == []


def test_a_message_queues_one_job_however_often_it_is_checked():
    make_message()
    assert [dispatch.send_if_due() for _ in range(3)] == [True, False, False]
    assert queued() == [SEND]


def test_a_job_that_got_lost_is_queued_again_after_a_while():
    make_message()
    dispatch.send_if_due()
    let_pass(outbox.CALL_SECONDS + 1)
    assert dispatch.send_if_due()
    assert queued() == [SEND, SEND]


def test_once_a_job_has_begun_the_next_message_does_not_wait_for_that():
    make_message()
    dispatch.send_if_due()
    jobs.send_alerts()  # there is no receiver
    Delivery.objects.update(due_at=F("created_at"))
    assert not dispatch.send_if_due()
    let_pass(outbox.REST_SECONDS + 0.1)
    assert dispatch.send_if_due()


def test_a_clock_that_was_set_back_is_no_lease_for_years():
    make_message()
    dispatch.send_if_due()
    let_pass(-86400)
    assert dispatch.send_if_due()


def test_a_drain_queues_the_job_for_what_its_scores_raised(settings):
    settings.DRAIN_SECONDS = 0.0  # one batch
    threshold(0.001, by_webhook=True)
    make_customer()
    assert jobs.rescore_stale() == 1
    assert SEND in queued()


def test_a_drain_of_scores_that_raised_nothing_queues_none(settings):
    settings.DRAIN_SECONDS = 0.0
    make_customer()
    jobs.rescore_stale()
    assert SEND not in queued()


def test_the_broker_finds_what_no_job_is_queued_for():
    make_message()  # by a page that analyzed, say
    broker = ListenBroker()
    broker._poll()  # finds a model file that it has not seen yet
    broker._poll()
    assert SEND in queued()


def test_while_scoring_is_paused_messages_go_on():
    make_message()
    pause.pause()
    assert not dispatch.anything_to_do()
    broker = ListenBroker()
    broker._poll()
    broker._poll()
    assert SEND in queued()
