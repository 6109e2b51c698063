"""The first question of a job: asked once more, of a new connection, when the old one has died unseen."""

import pytest
from django.db import OperationalError, connection

from events import jobs
from events.worker.reconnect import with_reconnect
from tests.factories import make_customer
from tests.others import outsider

pytestmark = pytest.mark.django_db(transaction=True)


def backend():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def end(pid):
    with outsider() as administrator:
        administrator.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


def test_it_costs_no_other_statement(django_assert_num_queries):
    connection.close_if_unusable_or_obsolete()
    with django_assert_num_queries(1):
        with_reconnect(backend)


def test_a_connection_that_died_is_replaced():
    before = backend()
    end(before)
    assert with_reconnect(backend) != before


def test_a_job_is_done_though_its_connection_died_while_it_slept():
    customer = make_customer()
    end(backend())
    assert jobs.rescore_stale() == 1
    customer.refresh_from_db()
    assert customer.is_current()


def test_while_postgresql_is_away_the_error_is_the_callers():
    asked = []

    def question():
        asked.append("once")
        raise OperationalError("away")

    with pytest.raises(OperationalError, match="away"):
        with_reconnect(question)
    assert len(asked) == 2
