"""Pause and resume: rows go stale, edits go on, people who ask are answered, and nothing is forgotten."""

import pytest
from django.db import transaction
from django_q.models import OrmQ

from customers import scoring
from customers.models import Customer
from events import dispatch, jobs, look, pause, watch
from events.models import Drain, Pause
from tests.factories import make_customer, make_customers

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def short_promises(monkeypatch):
    monkeypatch.setattr(watch, "PROMISE_SECONDS", 0.05)


def test_nobody_is_scored_while_it_lasts_and_everybody_afterwards():
    make_customers(2)
    pause.pause()
    assert not look.anything_to_do()
    assert jobs.rescore_stale() == 0
    assert Customer.objects.stale().count() == 2
    pause.resume()
    assert look.anything_to_do()
    assert jobs.rescore_stale() == 2


def test_a_drain_at_work_stops_before_its_next_batch(monkeypatch):
    make_customers(3)
    rescore = scoring.rescore_batch

    def rescore_one_then_somebody_pauses():
        batch = rescore(limit=1)
        pause.pause()
        return batch

    monkeypatch.setattr(scoring, "rescore_batch", rescore_one_then_somebody_pauses)
    assert jobs.rescore_stale() == 1
    assert Customer.objects.stale().count() == 2


def test_whoever_asks_for_one_customer_is_answered():
    customer = make_customer()
    pause.pause()
    scoring.analyze(customer.pk)
    customer.refresh_from_db()
    assert customer.is_current()


def test_neither_the_look_nor_the_sweep_wakes_anybody():
    make_customer()
    pause.pause()
    assert not dispatch.wake_if_stale()
    assert not jobs.sweep_stale()
    assert not OrmQ.objects.exists()


def test_a_paused_job_leaves_no_record_of_a_drain():
    pause.pause()
    jobs.rescore_stale()
    assert not Drain.objects.exists()


def test_who_was_first_keeps_the_word():
    pause.pause(by="ada", reason="the new model is being audited")
    pause.pause(by="bob", reason="lunch")
    assert (pause.current().by, pause.current().reason) == ("ada", "the new model is being audited")
    assert Pause.objects.count() == 1


def test_resuming_says_whether_there_was_a_pause():
    assert pause.current() is None
    assert not pause.resume()
    assert not OrmQ.objects.exists()
    pause.pause()
    assert pause.is_paused()
    assert pause.resume()
    assert not pause.is_paused()


def test_resuming_queues_a_job_though_somebody_has_promised_to_look_for_he_may_have_found_the_pause_and_gone():
    make_customer()
    dispatch.wake()
    pause.pause()
    jobs.rescore_stale()
    OrmQ.objects.all().delete()
    watch.promise(60)
    pause.resume()
    assert OrmQ.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_pause_that_is_rolled_back_never_was():
    with transaction.atomic():
        pause.pause()
        transaction.set_rollback(True)
    assert not pause.is_paused()
