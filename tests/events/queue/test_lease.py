"""The lease: whether it is held, for how long, and by which drain."""

from time import monotonic

import pytest
from django.db import connection, transaction

from events.models.engine import Watch
from events.queue import lease
from tests.others import await_that

pytestmark = pytest.mark.django_db


def seconds_ahead():
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM awake_until - clock_timestamp()) FROM events_watch")
        return float(cursor.fetchone()[0])


def test_in_a_new_database_the_lease_is_free():
    assert not lease.is_held()
    assert lease.acquire()


def test_of_those_that_ask_one_acquires_the_lease():
    assert [lease.acquire() for _ in range(3)] == [True, False, False]
    assert lease.is_held()


def test_a_lease_that_has_run_out_is_free():
    lease.extend(-0.001)
    assert not lease.is_held()
    assert lease.acquire()
    assert lease.is_held()


def test_a_lease_that_reaches_too_far_is_void_for_the_clock_was_set_back_since():
    lease.extend(3600)
    assert not lease.is_held()
    assert lease.acquire()
    assert seconds_ahead() < 60


def test_a_lease_once_seen_is_not_asked_for_again_while_it_lasts(django_assert_num_queries):
    lease.extend(0.2)
    assert lease.is_held()
    with django_assert_num_queries(0):
        assert lease.is_held()
    await_that(lambda: not lease.is_held(), "the lease is over")
    with django_assert_num_queries(1):
        assert not lease.is_held()


def test_a_process_that_has_seen_no_lease_asks():
    assert not lease.LeaseCache().is_held()


def test_that_the_lease_is_free_is_never_taken_from_the_cache(django_assert_num_queries):
    assert not lease.is_held()
    lease.extend()
    with django_assert_num_queries(1):
        assert lease.is_held()


def test_a_lease_never_shortens_a_longer_one():
    lease.extend(60)
    lease.extend(1)
    assert seconds_ahead() > 50


def test_a_longer_lease_lengthens_it():
    lease.extend(1)
    lease.extend(60)
    assert seconds_ahead() > 50


def test_there_is_one_row_however_often_it_is_extended():
    for seconds in (1, 2, 3):
        lease.extend(seconds)
    assert Watch.objects.count() == 1


def test_a_lease_does_not_change_how_safely_other_transactions_commit():
    with transaction.atomic():
        lease.extend()
    with connection.cursor() as cursor:
        cursor.execute("SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'")
        assert cursor.fetchone() == ("on",)


def test_a_drain_holds_the_lease_of_the_caller_that_woke_it():
    began = monotonic()
    holder = lease.LeaseHolder()
    assert not holder.is_over(began)
    assert not holder.is_over(began + lease.LEASE_SECONDS)
    assert holder.is_over(monotonic() + lease.LEASE_SECONDS)


def test_the_lease_of_a_drain_is_over_here_no_sooner_than_in_the_database():
    holder = lease.LeaseHolder()
    await_that(lambda: holder.is_over(monotonic() + lease.LEASE_SECONDS / 2), "half of the first lease is over")
    holder.extend()
    assert lease.is_held()
    await_that(lambda: holder.is_over(monotonic()), "its own lease is over")
    assert not lease.is_held()


def test_a_drain_that_finds_work_all_the_time_extends_only_a_few_times_a_second(django_assert_max_num_queries):
    holder = lease.LeaseHolder()
    with django_assert_max_num_queries(1):
        for _ in range(100):
            holder.extend()
