"""What a drain did stands in the database once it has ended."""

import pytest
from django.utils import timezone

from customers.scoring.scorer import Batch
from events import jobs
from events.models.engine import Drain
from events.queue import lease
from events.worker import drains, heartbeat
from tests.factories import make_customers
from tests.others import together

pytestmark = pytest.mark.django_db


def test_a_drain_is_the_sum_of_its_batches():
    with drains.recorded() as drain:
        drains.add_batch(drain, Batch(claimed=10, stored=7, refused=1))
        drains.add_batch(drain, Batch(claimed=5, stored=5, passed_over=3))
    drain = Drain.objects.get()
    assert (drain.claimed, drain.stored, drain.rejected, drain.refused) == (15, 12, 2, 1)


def test_no_batch_is_lost_when_two_threads_count_at_once():
    drain = Drain(claimed=0, stored=0, rejected=0, refused=0)

    def count():
        for _ in range(20_000):
            drains.add_batch(drain, Batch(claimed=1, stored=1))

    together(count, count, count)
    assert (drain.claimed, drain.stored) == (60_000, 60_000)


def test_it_is_recorded_with_its_worker_and_its_times(monkeypatch):
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.05)
    make_customers(3)
    before = timezone.now()
    jobs.rescore_stale()
    drain = Drain.objects.get()
    assert (drain.claimed, drain.stored, drain.rejected, drain.refused) == (3, 3, 0, 0)
    assert before <= drain.started_at
    assert drain.worker == heartbeat.worker_name()


def test_one_that_found_nothing_is_recorded_too_for_it_shows_that_a_worker_polls(monkeypatch):
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.05)
    jobs.rescore_stale()
    assert (Drain.objects.get().claimed, Drain.objects.get().stored) == (0, 0)


def test_one_whose_model_is_broken_is_recorded_with_what_it_did(assets):
    (assets / "model.pkl").unlink()
    make_customers(2)
    jobs.rescore_stale()
    assert Drain.objects.get().stored == 0
