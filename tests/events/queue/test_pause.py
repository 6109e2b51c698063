"""Pause and resume: jobs leave the customers alone, edits go on, and a request for one score gets it."""

import logging
import pwd

import pytest
from django.core.management import call_command
from django.db import transaction
from django_q.models import OrmQ

from customers.ml_service import current_forest
from customers.models import Customer, Pause
from customers.scoring import scorer
from customers.scoring.pause import current, is_paused, notice
from events import jobs
from events.queue import dispatch, lease, pause
from tests.factories import A_CUSTOMER, make_customer, make_customers, make_scored

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def short_leases(monkeypatch):
    current_forest().predict_one(A_CUSTOMER)
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.05)


class TestWhilePaused:
    def test_jobs_leave_the_customers_alone(self):
        make_customer()
        pause.pause()
        assert jobs.rescore_stale() == 0
        assert not jobs.sweep_stale()
        assert not dispatch.anything_to_do()
        assert Customer.objects.stale().count() == 1

    def test_edits_go_on_and_go_stale(self):
        customer = make_scored()
        pause.pause()
        Customer.objects.filter(pk=customer.pk).update(age=70)
        jobs.rescore_stale()
        customer.refresh_from_db()
        assert (customer.age, customer.is_current()) == (70, False)

    def test_analyze_still_scores(self, client):
        customer = make_customer()
        pause.pause()
        assert client.get(f"/customers/analyze/{customer.pk}/").status_code == 200
        customer.refresh_from_db()
        assert customer.is_current()

    def test_insights_say_so(self, client):
        customer = make_scored()
        address = f"/customers/insights/{customer.pk}/"
        assert client.get(address).json()["paused"] is False
        pause.pause()
        assert client.get(address).json()["paused"] is True

    def test_a_drain_at_work_stops_at_its_next_batch(self, settings, monkeypatch):
        settings.DRAIN_BATCH_ROWS = 1
        for _ in range(4):
            make_customer()
        rescore_batch = scorer.rescore_batch

        def rescore_and_be_paused():
            batch = rescore_batch()
            pause.pause()
            return batch

        monkeypatch.setattr(jobs.scorer, "rescore_batch", rescore_and_be_paused)
        monkeypatch.setattr(jobs.SecondThread, "start", lambda self: None)
        assert jobs.rescore_stale() == 1
        assert Customer.objects.stale().count() == 3

    def test_the_log_says_once_that_jobs_are_skipped(self, caplog):
        pause.pause(by="ann", reason="review")
        with caplog.at_level(logging.WARNING, "vigilpay.events"):
            for _ in range(3):
                jobs.rescore_stale()
        assert [record.message for record in caplog.records] == [f"{notice()} Edits go on."]
        assert "by ann: review." in caplog.text

    def test_who_was_first_keeps_the_word(self):
        pause.pause(by="ann", reason="review")
        pause.pause(by="bob", reason="lunch")
        assert current().by == "ann"

    def test_long_words_are_cut_not_refused(self):
        pause.pause(by="a" * 1000, reason="r" * 1000)
        assert (len(current().by), len(current().reason)) == (150, 500)


class TestResume:
    def test_customers_who_went_stale_are_scored(self):
        make_customer()
        pause.pause()
        assert pause.resume()
        assert jobs.rescore_stale() == 1

    def test_a_worker_is_woken(self):
        pause.pause()
        pause.resume()
        assert [job.func() for job in OrmQ.objects.all()] == [dispatch.RESCORE_JOB]

    def test_without_a_pause_there_is_nothing_to_resume(self):
        assert not pause.resume()


class TestCommands:
    def test_pausing_says_since_when_by_whom_and_why(self, capsys):
        call_command("pause_scoring", reason="model under review.")
        said = capsys.readouterr().out
        assert said.startswith("Scoring has been paused since ")
        assert said.endswith(f" by {pause.operator_name()}: model under review.\n")
        assert Pause.objects.get().by == pause.operator_name()

    def test_pausing_twice_tells_of_the_first(self, capsys):
        pause.pause(by="ann")
        call_command("pause_scoring", reason="other")
        assert "by ann." in capsys.readouterr().out

    def test_resuming(self, capsys):
        pause.pause()
        call_command("resume_scoring")
        call_command("resume_scoring")
        assert capsys.readouterr().out == "Scoring resumed.\nScoring was not paused.\n"
        assert not is_paused()


def test_a_user_without_a_name_has_a_number(monkeypatch):
    def no_user(uid):
        raise KeyError(uid)

    assert pause.operator_name() == pwd.getpwuid(pause.os.getuid()).pw_name
    monkeypatch.setattr(pause.pwd, "getpwuid", no_user)
    assert pause.operator_name() == f"user {pause.os.getuid()}"


def test_a_drain_at_work_stops_before_its_next_batch(monkeypatch):
    make_customers(3)
    rescore = scorer.rescore_batch

    def rescore_one_then_pause():
        batch = rescore(limit=1)
        pause.pause()
        return batch

    monkeypatch.setattr(scorer, "rescore_batch", rescore_one_then_pause)
    assert jobs.rescore_stale() == 1
    assert Customer.objects.stale().count() == 2


def test_resuming_queues_a_job_though_the_lease_is_held_for_its_holder_may_have_found_the_pause_and_ended():
    make_customer()
    dispatch.wake()
    pause.pause()
    jobs.rescore_stale()
    OrmQ.objects.all().delete()
    lease.extend(60)
    pause.resume()
    assert OrmQ.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_pause_that_is_rolled_back_never_was():
    with transaction.atomic():
        pause.pause()
        transaction.set_rollback(True)
    assert not is_paused()
