"""Whose turn it is, at work that one session at a time may do."""

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from customers import turns
from customers.models import Turn
from tests.others import await_that, meanwhile, outsider, waiting_for_locks

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "of a test"


def process():
    return connection.connection.info.backend_pid


def holder():
    return Turn.objects.values_list("process", flat=True).get(name=NAME)


class TestForATransaction:
    def test_the_next_waits_until_it_ends(self):
        with outsider(autocommit=False) as other:
            turns.add(NAME)
            other.execute(turns.WAIT, [NAME])
            with meanwhile(self.wait):
                await_that(waiting_for_locks, "the next one waits")
                other.commit()

    def wait(self):
        with transaction.atomic():
            turns.wait_for(NAME)

    def test_the_first_of_all_makes_the_row(self):
        with transaction.atomic():
            turns.wait_for(NAME)
            with outsider() as other:
                other.execute("SET lock_timeout TO '10ms'")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    other.execute(turns.ADD, [NAME])
        assert holder() is None

    def test_who_does_not_want_to_wait_need_not(self):
        turns.add(NAME)
        with outsider(autocommit=False) as other:
            other.execute(turns.WAIT, [NAME])
            with transaction.atomic():
                assert not turns.take_if_free(NAME)
            other.rollback()
            with transaction.atomic():
                assert turns.take_if_free(NAME)

    def test_a_row_that_is_held_for_longer_keeps_none_from_a_transaction_with_one_snapshot(self):
        turns.add(NAME)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT 1")
            with outsider() as other:
                other.execute(turns.WAIT, [NAME])
            assert turns.take_if_free(NAME)


class TestForASession:
    def test_no_other_session_has_it_until_it_is_left(self):
        assert turns.take(NAME)
        with outsider() as other:
            assert other.execute(turns.HOLD, [NAME]).rowcount == 0
            turns.leave(NAME)
            assert other.execute(turns.HOLD, [NAME]).rowcount == 1
            assert not turns.take(NAME)

    def test_a_session_that_has_it_may_take_it_again(self):
        assert turns.take(NAME)
        assert turns.take(NAME)

    def test_a_session_that_ends_has_left_it(self):
        with outsider() as other:
            assert other.execute(turns.HOLD, [NAME]).rowcount == 1
            assert not turns.take(NAME)
        await_that(lambda: turns.take(NAME), "the other session is gone")
        assert holder() == process()

    def test_a_session_with_the_process_number_of_a_dead_one_does_not_have_it(self):
        with outsider() as other:
            assert other.execute(turns.HOLD, [NAME]).rowcount == 1
            Turn.objects.update(began_at="2020-01-01T00:00:00Z")
            assert turns.take(NAME)

    def test_the_turn_of_another_session_is_not_left_in_its_place(self):
        with outsider() as other:
            other.execute(turns.HOLD, [NAME])
            turns.leave(NAME)
            assert holder() == other.info.backend_pid

    def test_it_is_left_after_a_failure_in_the_block(self):
        with pytest.raises(ZeroDivisionError), turns.taken(NAME):
            raise ZeroDivisionError
        assert holder() is None

    def test_a_block_without_the_turn_leaves_nothing(self):
        with outsider() as other:
            other.execute(turns.HOLD, [NAME])
            with turns.taken(NAME) as is_ours:
                assert not is_ours
            assert holder() == other.info.backend_pid

    def test_of_two_at_once_one_has_it(self):
        with outsider() as one, outsider() as another:
            got = [session.execute(turns.HOLD, [NAME]).rowcount for session in (one, another, one)]
        assert got == [1, 0, 1]


def test_a_lost_connection_is_no_error_on_leaving():
    assert turns.take(NAME)
    with outsider() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [process()])
    with pytest.raises(OperationalError):
        await_that(lambda: Turn.objects.count() > 5, "the connection is seen to be lost")
    turns.leave(NAME)
    connection.close()
