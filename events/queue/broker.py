"""django-q2 on PostgreSQL without polling: the broker sleeps in LISTEN until there is a job, or a stale customer.

Prior art: the wait-then-claim loop is that of procrastinate and of river; the claim is PostgreSQL's own queue idiom
(``FOR UPDATE SKIP LOCKED``, documentation of SELECT, "The Locking Clause").
"""

from contextlib import suppress
from socket import gethostname
from time import monotonic, sleep
from typing import Any

import psycopg
from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, close_old_connections, connections
from django_q.brokers.orm import ORM
from django_q.conf import Conf

from events.queue import dispatch
from events.queue.listener import Jobs, Listener
from events.triggers.channels import JOBS_CHANNEL, STALE_CHANNEL
from events.worker import heartbeat
from events.worker.lifeline import ParentDeathWatch
from events.worker.model_file import ModelFileWatch
from events.worker.outage import Outage

# django-q2 checks its stop event only between two calls of dequeue.
DEQUEUE_SECONDS = 1.0
RECONNECT_SECONDS = 0.25

# django-q2 hands a job on by a thread, which has to wait for the interpreter while we ask for the next one.
HAND_ON_SECONDS = 0.001

# Made before the fork, for all processes of the cluster.
OUTAGE = Outage("The broker")

ENQUEUE = """
WITH job AS (INSERT INTO django_q_ormq (key, payload, lock) VALUES (%s, %s, clock_timestamp()) RETURNING id)
SELECT id, pg_notify(%s, '') FROM job
"""


class ListenBroker(ORM):  # type: ignore[misc]  # django-q2 has no type information
    """The stock PostgreSQL broker, except for how it waits: enqueue notifies, dequeue listens.

    It also listens for edits: a notification of a stale customer is a job by itself, and every ``LOOK_SECONDS`` it
    polls for stale customers. And it is what we have in each of a cluster's processes: the pusher dequeues, the monitor
    acknowledges, the sentinel stores its state, so it leaves the heartbeat of each.
    """

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self._start_listening()

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        self._start_listening()

    def _start_listening(self) -> None:
        # Nothing connects here: the object is made before the fork, and used after it.
        self._listener = Listener(Conf.ORM)
        self._model_file = ModelFileWatch(settings.ML_ASSETS_DIR)
        self._poll_due = self._heartbeat_due = 0.0
        self._is_notified = self._has_given = False
        self._parent_watch = ParentDeathWatch()

    def enqueue(self, task: str) -> int:
        """Store the job and notify, together: a listener is notified when the job can be claimed."""
        with connections[Conf.ORM].cursor() as cursor:
            cursor.execute(ENQUEUE, [self.list_key or Conf.CLUSTER_NAME, task, JOBS_CHANNEL])
            return int(cursor.fetchone()[0])

    def dequeue(self) -> Jobs | None:
        """Claim jobs, waiting up to a second for one. Never raises for a lost connection: it is made anew."""
        self._parent_watch.check()
        if self._has_given:
            sleep(HAND_ON_SECONDS)
        try:
            jobs = self._wait_for_jobs(until=monotonic() + DEQUEUE_SECONDS)
        except (psycopg.Error, Error) as error:
            # Raising would cost ten seconds: django-q2 takes the whole pusher for dead.
            self._reconnect_later(error)
            return None
        OUTAGE.end_if_on()
        self._has_given = bool(jobs)
        return jobs

    def acknowledge(self, task_id: int) -> None:
        """The job is done. Waits for PostgreSQL if need be: raising would end the monitor, and the job would stay."""
        while True:
            try:
                heartbeat.delete_job(task_id)
            except (OperationalError, InterfaceError) as error:
                self._reconnect_later(error)
            else:
                return OUTAGE.end_if_on()

    # Called for a job that can't be read or is refused: it is gone, and no claim of a worker that has stalled.
    fail = acknowledge

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Called twice a second by the sentinel. Its heartbeat may fail: it waits for nothing."""
        self._parent_watch.check()
        if self._parent_watch.is_on and monotonic() >= self._heartbeat_due:
            with suppress(psycopg.Error, Error):
                heartbeat.report_guarding()
            self._heartbeat_due = monotonic() + heartbeat.HEARTBEAT_SECONDS
        super().set_stat(key, value, timeout)

    def _reconnect_later(self, error: Exception) -> None:
        OUTAGE.begin_after(error)
        self._listener.close()
        close_old_connections()  # and Django's own, which the poll uses: outside requests Django does not replace it
        sleep(RECONNECT_SECONDS)

    def _wait_for_jobs(self, until: float) -> Jobs | None:
        if monotonic() >= self._heartbeat_due:
            self._listener.report_polling(heartbeat.worker_name(), gethostname())
            self._heartbeat_due = monotonic() + heartbeat.HEARTBEAT_SECONDS
        self._receive(seconds=0)  # what the claim below answers need not wake us after it
        while True:
            if monotonic() >= self._poll_due:
                self._poll()
            jobs = self._take_up_or_claim()
            if jobs or monotonic() >= until:
                return jobs
            self._receive(max(0, min(until, self._poll_due) - monotonic()))

    def _receive(self, seconds: float) -> None:
        self._is_notified |= STALE_CHANNEL in self._listener.wait(seconds)

    def _take_up_or_claim(self) -> Jobs:
        """After a notification a job of its own, unless the lease is held, by us or by another host's worker."""
        jobs: Jobs = []
        if self._is_notified:
            job = dispatch.pack_job(dispatch.RESCORE_JOB)
            jobs = self._listener.take_up(self.list_key, job, heartbeat.worker_name())
            self._is_notified = False
        return jobs or self._listener.claim(self.list_key, heartbeat.worker_name())

    def _poll(self) -> None:
        self._poll_due = monotonic() + settings.LOOK_SECONDS
        if (self._model_file.has_changed() or dispatch.anything_to_do()) and dispatch.wake():
            self._model_file.remember()
        else:  # not in the way of a drain that is awaited, which checks for messages itself
            dispatch.send_if_due()
