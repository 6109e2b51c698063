"""The broker's own connection: LISTEN first, then claim; closed and used again without ado."""

import pytest
from django.db import DatabaseError
from django_q.models import OrmQ

from events.queue.listener import Listener
from events.triggers.channels import JOBS_CHANNEL, STALE_CHANNEL
from tests.others import outsider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def listener():
    listener = Listener("default")
    yield listener
    listener.close()


def notify(channel):
    with outsider() as speaker:
        speaker.execute(f"NOTIFY {channel}")


@pytest.mark.parametrize("channel", [JOBS_CHANNEL, STALE_CHANNEL])
def test_a_notice_ends_the_wait_and_is_named(listener, channel):
    listener.claim("vigilpay")
    notify(channel)
    assert listener.wait(60) == {channel}


def test_without_a_notice_the_wait_ends_empty_handed(listener):
    assert listener.wait(0.01) == set()


def test_channels_of_others_are_not_heard(listener):
    listener.claim("vigilpay")
    notify("the_banks_own")
    assert listener.wait(0.05) == set()


def test_a_notice_that_arrives_with_a_claims_answer_is_kept_for_the_wait(listener):
    listener.claim("vigilpay")
    notify(STALE_CHANNEL)
    listener.claim("vigilpay")
    assert listener.wait(60) == {STALE_CHANNEL}


def test_it_listens_before_it_claims_so_that_nothing_falls_between(listener):
    """The first claim connects; a job that is queued right after it notifies."""
    assert listener.claim("vigilpay") == []
    OrmQ.objects.create(key="vigilpay", payload="job", lock="2020-01-01T00:00Z")
    notify(JOBS_CHANNEL)
    assert listener.wait(60) == {JOBS_CHANNEL}
    assert [payload for _id, payload in listener.claim("vigilpay")] == ["job"]


def test_a_lost_connection_raises_and_after_close_it_connects_anew(listener):
    listener.claim("vigilpay")
    with outsider() as administrator:
        administrator.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE '%django_q_ormq AS job%' AND pid <> pg_backend_pid()"
        )
    with pytest.raises(DatabaseError):
        listener.claim("vigilpay")
    listener.close()
    assert listener.claim("vigilpay") == []
    notify(STALE_CHANNEL)
    assert listener.wait(60) == {STALE_CHANNEL}


def test_to_close_what_was_never_used_is_fine():
    Listener("default").close()


def test_a_job_locked_by_another_claim_in_progress_is_passed_over(listener):
    for payload in ("first", "second"):
        OrmQ.objects.create(key="vigilpay", payload=payload, lock="2020-01-01T00:00Z")
    with outsider(autocommit=False) as other:
        other.execute("SELECT FROM django_q_ormq ORDER BY id LIMIT 1 FOR UPDATE")
        assert [payload for _id, payload in listener.claim("vigilpay")] == ["second"]
