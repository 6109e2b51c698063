"""Who waits at this moment, by the marks: what a headline may say while the customers were counted before."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from customers.models import Customer, ModelRelease, StaleMark
from customers.releases.active import active_model
from customers.scoring import marks, scorer
from events.freshness import waiting
from events.freshness.queries import active_release, freshness_of, lag_of, portfolio_of
from events.freshness.status import Waiting
from events.models.engine import Drain
from tests.factories import (
    edit,
    forget_marks,
    lose_all_marks,
    make_customer,
    make_customers,
    make_failure,
    make_scored,
    mark_as,
    write_as_scorer,
)

pytestmark = pytest.mark.django_db

A_LONG_TIME_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_check_is_due():
    """The first release of a database has all customers checked."""
    active_model()
    forget_marks()


def now(counted_at=A_LONG_TIME_AGO, *, some_waited=False):
    with connection.cursor() as cursor:
        return waiting.waiting_now(cursor, ModelRelease.objects.active_id(), counted_at, some_waited=some_waited)


def counted():
    """Customers and lag as they are counted at this moment, and that moment."""
    with connection.cursor() as cursor:
        return portfolio_of(cursor, active_release(cursor)), lag_of(cursor), timezone.now()


class TestWaiting:
    def test_without_marks_none_wait(self):
        make_scored()
        assert now() == Waiting(0)

    def test_new_and_edited_customers_wait_each_once(self):
        edit(make_scored(), age=77)
        customers = make_customers(3)
        mark_as(marks.LARGE, [it.pk for it in customers])
        assert now().customers == 4

    def test_a_mark_of_a_current_customer_is_only_a_hint(self):
        mark_as(marks.LIVE, [make_scored().pk])
        assert now() == Waiting(0)

    def test_who_is_excluded_or_has_objected_does_not_wait_for_a_worker(self):
        make_scored()
        make_failure(make_customer())
        Customer.objects.filter(pk=make_customer().pk).update(objected_at=timezone.now())
        assert now() == Waiting(0)

    def test_the_longest_wait_is_that_of_the_oldest_edit(self):
        make_scored()
        for seconds in (20, 50):
            write_as_scorer(make_customer(), stale_since=timezone.now() - timedelta(seconds=seconds))
        assert 50 <= now().oldest_seconds < 60

    def test_or_that_of_the_release_which_their_score_is_older_than(self):
        customer = make_scored()
        newer = ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        ModelRelease.objects.filter(pk=newer.pk).update(released_at=timezone.now() - timedelta(seconds=30))
        mark_as(marks.FOUND, [customer.pk])
        found = now()
        assert found.customers == 1
        assert 30 <= found.oldest_seconds < 40

    def test_a_check_of_all_customers_may_find_some(self):
        make_scored()
        marks.mark_all()
        assert now() == Waiting(0, is_checking=True)
        assert now(timezone.now()) == Waiting(0)  # a count has found them all
        assert now(timezone.now(), some_waited=True) == Waiting(0, is_checking=True)

    def test_so_it_is_once_marks_were_lost(self):
        make_scored()
        lose_all_marks()
        assert now() == Waiting(0, is_checking=True)

    def test_of_many_it_counts_some(self, monkeypatch):
        sql = waiting.WAITING.replace(str(waiting.MOST_WAITING), "2").replace(str(waiting.MOST_WAITING + 1), "3")
        monkeypatch.setattr(waiting, "WAITING", sql)
        make_customers(5)
        found = now()
        assert found.is_more
        assert found.customers == 3  # of those that the marks name


class TestStatusOfCountedCustomers:
    def test_customers_who_came_since_the_count_are_not_passed_over(self):
        make_scored()
        before = counted()
        make_customers(3)
        found = freshness_of(*before)
        assert found.status == "catching up"
        assert "3 customers waiting for a score" in found.status_reason

    def test_in_a_storm_of_edits_it_is_never_current(self):
        customers = [make_scored() for _ in range(8)]
        before = counted()
        for age in range(41, 51):
            for customer in customers:
                edit(customer, age=age)
            assert freshness_of(*before).status == "catching up"
            scorer.rescore_batch(3)  # and five wait still
            assert freshness_of(*before).status == "catching up"
            scorer.rescore_batch()
            assert freshness_of(*before).status == "current"

    def test_who_waited_at_the_count_waits_until_a_drain_has_ended(self):
        """Without a mark: found by the count alone."""
        make_customer()
        forget_marks()
        before = counted()
        assert freshness_of(*before).status == "catching up"
        drained()
        assert freshness_of(*before).status == "current"

    def test_between_two_steps_of_a_check_it_is_not_current(self, monkeypatch):
        """The overview was counted within the check, and a worker pauses before the next step."""
        customers = [make_scored() for _ in range(4)]
        forget_marks()
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        monkeypatch.setattr(marks, "SWEEP_ON", marks.SWEEP_ON.replace(str(marks.SWEEP_ROWS), "2"))
        assert marks.sweep()
        before = counted()
        by_newest = {"scored_by_id": ModelRelease.objects.active_id()}
        for customer in customers[:2]:
            write_as_scorer(customer, **by_newest)
        StaleMark.objects.filter(kind=marks.FOUND).delete()
        drained()
        assert freshness_of(*before).status == "catching up"
        for customer in customers[2:]:
            write_as_scorer(customer, **by_newest)
        while marks.sweep():
            pass
        assert freshness_of(*before).status == "current"


def drained():
    scores = {"claimed": 1, "stored": 1, "rejected": 0, "refused": 0}
    Drain.objects.create(worker="here", started_at=timezone.now(), ended_at=timezone.now(), **scores)
