"""A promise to look: who has made one, how long it holds, and when it is kept."""

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


def test_in_a_new_database_nobody_is_awake():
    assert not lease.is_awake()
    assert lease.promise_unless_awake()


def test_only_one_promise_at_a_time_is_made_by_those_who_ask_first():
    assert [lease.promise_unless_awake() for _ in range(3)] == [True, False, False]
    assert lease.is_awake()


def test_a_promise_that_has_run_out_binds_nobody():
    lease.promise(-0.001)
    assert not lease.is_awake()
    assert lease.promise_unless_awake()
    assert lease.is_awake()


def test_a_promise_that_reaches_too_far_is_void_for_the_clock_was_set_back_since():
    lease.promise(3600)
    assert not lease.is_awake()
    assert lease.promise_unless_awake()
    assert seconds_ahead() < 60


def test_a_promise_once_seen_is_not_asked_for_again_while_it_lasts(django_assert_num_queries):
    lease.promise(0.2)
    assert lease.is_awake()
    with django_assert_num_queries(0):
        assert lease.is_awake()
    await_that(lambda: not lease.seen.says_awake(), "the promise is over")
    with django_assert_num_queries(1):
        assert not lease.is_awake()


def test_that_nobody_is_awake_is_never_taken_from_memory(django_assert_num_queries):
    assert not lease.is_awake()
    lease.promise()
    with django_assert_num_queries(1):
        assert lease.is_awake()


def test_a_promise_never_shortens_a_longer_one():
    lease.promise(60)
    lease.promise(1)
    assert seconds_ahead() > 50


def test_a_longer_promise_lengthens_it():
    lease.promise(1)
    lease.promise(60)
    assert seconds_ahead() > 50


def test_there_is_one_row_however_many_promise():
    for seconds in (1, 2, 3):
        lease.promise(seconds)
    assert Watch.objects.count() == 1


def test_a_promise_does_not_change_how_safely_other_transactions_commit():
    with transaction.atomic():
        lease.promise()
    with connection.cursor() as cursor:
        cursor.execute("SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'")
        assert cursor.fetchone() == ("on",)


def test_a_drain_keeps_the_promise_of_whoever_woke_it():
    began = monotonic()
    vigil = lease.Vigil()
    assert not vigil.is_over(began)
    assert not vigil.is_over(began + lease.PROMISE_SECONDS)
    assert vigil.is_over(monotonic() + lease.PROMISE_SECONDS)


def test_what_a_drain_promises_is_over_here_no_sooner_than_in_the_database():
    vigil = lease.Vigil()
    await_that(lambda: vigil.is_over(monotonic() + lease.PROMISE_SECONDS / 2), "half of the first promise is over")
    vigil.extend()
    assert lease.is_awake()
    await_that(lambda: vigil.is_over(monotonic()), "its own promise is over")
    assert not lease.is_awake()


def test_a_drain_that_finds_work_all_the_time_promises_only_a_few_times_a_second(django_assert_max_num_queries):
    vigil = lease.Vigil()
    with django_assert_max_num_queries(1):
        for _ in range(100):
            vigil.extend()
