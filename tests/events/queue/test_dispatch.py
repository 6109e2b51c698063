"""Many wake-ups, one job."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from events import jobs
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


def test_lease_and_job_are_one_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert dispatch.wake_unless_held()
    assert lease.acquire() is False
    assert queued() == ["events.jobs.rescore_stale"]


def test_with_another_broker_they_are_one_transaction(monkeypatch):
    monkeypatch.setattr(Conf, "BROKER_CLASS", "django_q.brokers.orm.ORM")
    assert [dispatch.wake_unless_held() for _ in range(3)] == [True, False, False]
    assert queued() == ["events.jobs.rescore_stale"]


def test_a_lease_that_was_not_kept_runs_out_and_another_job_is_queued():
    dispatch.wake()
    watch_that_ended()
    assert dispatch.wake()
    assert len(queued()) == 2


def test_nothing_stale_wakes_no_worker():
    make_scored()
    forget_marks()
    assert not jobs.sweep_stale()
    assert queued() == []


def test_something_stale_wakes_a_worker_once():
    make_customer()
    assert [jobs.sweep_stale(), jobs.sweep_stale()] == [True, False]
    assert len(queued()) == 1


def test_handing_over_queues_a_successor_although_the_lease_is_held():
    lease.extend(60)
    dispatch.hand_over()
    assert queued() == ["events.jobs.rescore_stale"]
    assert not dispatch.wake()


def test_another_drain_is_queued_though_the_lease_is_held_and_once_while_a_job_waits():
    lease.extend(60)
    assert [dispatch.queue_another_drain() for _ in range(3)] == [True, False, False]
    assert queued() == ["events.jobs.rescore_stale"]


def test_a_job_that_is_at_work_does_not_count_as_waiting():
    dispatch.queue_another_drain()
    OrmQ.objects.update(lock=Now() + timedelta(minutes=5))  # as the broker claims it
    assert dispatch.queue_another_drain()
    assert len(queued()) == 2


def test_a_job_of_another_queue_does_not_count():
    OrmQ.objects.create(key="another", payload="", lock=Now())
    assert dispatch.queue_another_drain()


def test_a_job_is_packed_as_django_q2_packs_it():
    async_task(dispatch.RESCORE_JOB)
    theirs = OrmQ.objects.get().task
    ours = SignedPackage.loads(dispatch.pack_job(dispatch.RESCORE_JOB))
    for job in (theirs, ours):
        assert len(job.pop("id")) == 32
        assert job.pop("name").count("-") == 3
        assert job.pop("started") <= timezone.now()
    assert {key: value for key, value in ours.items() if value is not False} == theirs


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

    def test_also_when_a_former_lease_has_run_out(self):
        lease.extend(-1)
        assert sorted(together(*[dispatch.wake] * 8)) == [False] * 7 + [True]

    @pytest.mark.parametrize("broker", [dispatch.OUR_BROKER, "django_q.brokers.orm.ORM"])
    def test_lease_and_job_become_visible_together_or_not_at_all(self, monkeypatch, broker):
        monkeypatch.setattr(Conf, "BROKER_CLASS", broker)
        monkeypatch.setattr(dispatch, "pack_job", lambda *args: 1 / 0)
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
    lease.extend(-1)
