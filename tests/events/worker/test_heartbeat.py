"""The heartbeats that the parts of a cluster leave in its row."""

import os
from socket import gethostname

import pytest
from django.db import connection
from django_q.models import OrmQ

from events.models.engine import Worker
from events.queue.broker import ListenBroker
from events.queue.listener import Listener
from events.worker import heartbeat

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def listener():
    listener = Listener("default")
    yield listener
    listener.close()


@pytest.fixture
def job():
    return OrmQ.objects.create(key="vigilpay", payload="job", lock="2020-01-01T00:00Z")


def test_the_pusher_reports_that_it_polls_and_a_lost_row_comes_back(listener):
    listener.report_polling("a worker", "a host")
    first = Worker.objects.get()
    assert (first.name, first.host) == ("a worker", "a host")
    listener.report_polling("a worker", "a host")
    assert Worker.objects.get().looked_at > first.looked_at
    Worker.objects.all().delete()
    listener.report_polling("a worker", "a host")
    assert Worker.objects.exists()


def test_a_claim_is_noted_in_the_claiming_statement_and_only_the_first(listener, job):
    listener.report_polling("a worker", "a host")
    listener.report_polling("another", "a host")
    assert listener.claim("vigilpay", "a worker")
    noted = Worker.objects.get(name="a worker").claimed_at
    assert noted is not None
    OrmQ.objects.create(key="vigilpay", payload="second", lock="2020-01-01T00:00Z")
    assert listener.claim("vigilpay", "a worker")
    assert Worker.objects.get(name="a worker").claimed_at == noted
    assert Worker.objects.get(name="another").claimed_at is None


def test_a_poll_that_claims_nothing_notes_nothing(listener):
    listener.report_polling("a worker", "a host")
    assert listener.claim("vigilpay", "a worker") == []
    assert Worker.objects.get().claimed_at is None


def test_an_acknowledgement_deletes_the_job_and_takes_the_note_away(listener, job, settings):
    settings.WORKER_NAME = "a worker"
    listener.report_polling("a worker", "a host")
    listener.claim("vigilpay", "a worker")
    ListenBroker("vigilpay").acknowledge(job.pk)
    assert not OrmQ.objects.exists()
    row = Worker.objects.get()
    assert row.claimed_at is None
    assert row.acknowledged_at is not None


def test_a_job_is_acknowledged_even_if_the_row_is_lost(job):
    heartbeat.delete_job(job.pk)
    assert not OrmQ.objects.exists()


def test_an_acknowledgement_waits_for_postgresql_and_is_not_lost(job, monkeypatch):
    broker, pauses = ListenBroker("vigilpay"), []

    def back_again(seconds):
        pauses.append(seconds)
        monkeypatch.undo()

    monkeypatch.setattr("events.queue.broker.sleep", back_again)
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    connection.close()
    broker.acknowledge(job.pk)
    assert len(pauses) == 1
    assert not OrmQ.objects.exists()


def test_the_sentinel_of_a_watched_cluster_reports_that_it_guards(settings):
    settings.WORKER_NAME = "a worker"
    Worker.objects.create(name="a worker", started_at="2020-01-01T00:00Z")
    reader, writer = os.pipe()
    settings.LIFELINE_FD = reader
    ListenBroker("vigilpay").set_stat("key", "value", 3)
    assert Worker.objects.get().guarded_at is not None
    os.close(reader)
    os.close(writer)


def test_a_bare_cluster_has_one_name_for_pusher_and_monitor(settings):
    assert heartbeat.worker_name() == f"{gethostname()}:{os.getppid()}"
    settings.WORKER_NAME = "from the supervisor"
    assert heartbeat.worker_name() == "from the supervisor"
