"""The second thread: works beside the drain on a connection of its own, and never fails it."""

from threading import Event

import pytest
from django.db import DatabaseError, connection

from customers.ml_service import ModelError
from events.worker import second_thread
from events.worker.second_thread import SecondThread
from tests.others import await_that, outsider


@pytest.fixture(autouse=True)
def a_core_to_spare(monkeypatch):
    monkeypatch.setattr(second_thread, "A_CORE_IS_LEFT", True)


def test_it_works_until_there_is_no_more():
    left = iter([True, True, False])
    done = []

    def work():
        done.append(1)
        return next(left)

    second = SecondThread(work)
    second.start()
    second.join()
    assert len(done) == 3


def test_one_at_a_time_and_again_when_the_last_has_ended():
    goes_on, started = Event(), []

    def work():
        started.append(1)
        goes_on.wait(10)
        return False

    second = SecondThread(work)
    second.start()
    second.start()
    goes_on.set()
    second.join()
    assert len(started) == 1
    second.start()
    second.join()
    assert len(started) == 2


def test_where_every_core_has_its_worker_there_is_none(monkeypatch):
    monkeypatch.setattr(second_thread, "A_CORE_IS_LEFT", False)
    second = SecondThread(lambda: pytest.fail("must not run"))
    second.start()
    second.join()


@pytest.mark.parametrize(("error", "told"), [(DatabaseError("gone"), True), (ModelError("told by the drain"), False)])
def test_what_fails_in_it_ends_it_alone(error, told, caplog):
    def work():
        raise error

    second = SecondThread(work)
    second.start()
    second.join()
    assert (str(error) in caplog.text) is told


@pytest.mark.django_db
def test_it_has_a_connection_of_its_own_and_leaves_none_open():
    seen = []

    def work():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            seen.append(cursor.fetchone()[0])
        return False

    second = SecondThread(work)
    second.start()
    second.join()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone()[0] != seen[0]
    # PostgreSQL takes a moment to end a backend whose client has gone.
    await_that(lambda: not is_connected(seen[0]), "the second thread's connection is closed")


def is_connected(backend):
    with outsider() as looker:  # a transaction would see one and the same moment again and again
        return looker.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)", [backend]).fetchone()[0]
