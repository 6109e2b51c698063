"""Many wake-ups, one job."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django_q.conf import Conf
from django_q.models import OrmQ

from events.models.engine import Watch
from events.queue import dispatch, lease
from tests.factories import forget_marks, make_customer, make_scored
from tests.others import await_that, outsider, together, waiting_for_locks

pytestmark = pytest.mark.django_db


def queued():
    return [job.func() for job in OrmQ.objects.order_by("id")]


def test_the_first_to_wake_queues_the_job_and_the_others_rely_on_it():
    assert [dispatch.wake() for _ in range(5)] == [True, False, False, False, False]
    assert queued() == ["events.jobs.rescore_stale"]


def test_promise_and_job_are_one_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert dispatch.wake_sleeping()
    assert lease.promise_unless_awake() is False
    assert queued() == ["events.jobs.rescore_stale"]


def test_with_another_broker_they_are_one_transaction(monkeypatch):
    monkeypatch.setattr(Conf, "BROKER_CLASS", "django_q.brokers.orm.ORM")
    assert [dispatch.wake_sleeping() for _ in range(3)] == [True, False, False]
    assert queued() == ["events.jobs.rescore_stale"]


def test_a_promise_that_nobody_kept_runs_out_and_another_job_is_queued():
    dispatch.wake()
    watch_that_ended()
    assert dispatch.wake()
    assert len(queued()) == 2


def test_nothing_stale_wakes_nobody():
    make_scored()
    forget_marks()
    assert not dispatch.wake_if_stale()
    assert queued() == []


def test_something_stale_wakes_a_worker_once():
    make_customer()
    assert [dispatch.wake_if_stale(), dispatch.wake_if_stale()] == [True, False]
    assert len(queued()) == 1


def test_handing_over_queues_a_successor_although_somebody_is_awake():
    lease.promise(60)
    dispatch.hand_over()
    assert queued() == ["events.jobs.rescore_stale"]
    assert not dispatch.wake()


def test_help_is_called_for_though_somebody_is_awake_and_once_while_a_job_waits():
    lease.promise(60)
    assert [dispatch.call_for_help() for _ in range(3)] == [True, False, False]
    assert queued() == ["events.jobs.rescore_stale"]


def test_a_job_that_is_at_work_does_not_count_as_waiting():
    dispatch.call_for_help()
    OrmQ.objects.update(lock=Now() + timedelta(minutes=5))  # as the broker claims it
    assert dispatch.call_for_help()
    assert len(queued()) == 2


def test_a_job_of_another_queue_helps_nobody():
    OrmQ.objects.create(key="another", payload="", lock=Now())
    assert dispatch.call_for_help()


def test_a_job_carries_no_values():
    dispatch.wake()
    task = OrmQ.objects.get().task
    assert (task["args"], task["kwargs"]) == ((), {})


@pytest.mark.django_db(transaction=True)
class TestRace:
    def test_many_who_wake_at_once_queue_one_job(self):
        woken = together(*[dispatch.wake] * 8)
        assert sorted(woken) == [False] * 7 + [True]
        assert len(queued()) == 1

    def test_also_when_a_former_promise_has_run_out(self):
        lease.promise(-1)
        assert sorted(together(*[dispatch.wake] * 8)) == [False] * 7 + [True]

    def test_promise_and_job_become_visible_together_or_not_at_all(self, monkeypatch):
        monkeypatch.setattr(dispatch, "async_task", lambda *args, **options: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            dispatch.wake()
        assert not Watch.objects.exists()

    def test_a_second_to_wake_waits_only_for_the_firsts_short_transaction(self):
        with outsider(autocommit=False) as first:
            first.execute("INSERT INTO events_watch VALUES (1, clock_timestamp() + interval '1 minute')")

            def commit_when_the_other_waits():
                await_that(waiting_for_locks, "the second waits for the first")
                first.commit()

            woken, _ = together(dispatch.wake, commit_when_the_other_waits)
        assert woken is False
        assert queued() == []


def watch_that_ended():
    Watch.objects.all().delete()
    lease.promise(-1)
