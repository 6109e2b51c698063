"""django-q2 on PostgreSQL without polling: the broker sleeps in LISTEN until there is a job, or a knock.

Prior art: the wait-then-claim loop is that of procrastinate and of river; the claim is PostgreSQL's own queue idiom
(``FOR UPDATE SKIP LOCKED``, documentation of SELECT, "The Locking Clause").
"""

from contextlib import suppress
from time import monotonic, sleep
from typing import Any

import psycopg
from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, close_old_connections, connections
from django_q.brokers.orm import ORM
from django_q.conf import Conf

from events.queue import dispatch, lease
from events.queue.listener import Jobs, Listener
from events.triggers.channels import JOBS_CHANNEL, STALE_CHANNEL
from events.worker import heartbeat, model_state
from events.worker.lifeline import Lifeline
from events.worker.model_file import ModelFileWatch
from events.worker.outage import Outage

# django-q2 looks at its stop event only between two calls of dequeue.
DEQUEUE_SECONDS = 1.0
RECONNECT_SECONDS = 0.25

# django-q2 hands a job on by a thread, which has to wait for the interpreter while we ask for the next one.
HAND_ON_SECONDS = 0.001

# A machine that cannot score lets those that can have a job first.
STAND_BACK_SECONDS = 0.2

# Made before the fork, for all processes of the cluster.
OUTAGE = Outage("The broker")

ENQUEUE = """
WITH job AS (INSERT INTO django_q_ormq (key, payload, lock) VALUES (%s, %s, clock_timestamp()) RETURNING id)
SELECT id, pg_notify(%s, '') FROM job
"""
ENQUEUE_UNLESS_AWAKE = f"""
{lease.PROMISED_UNLESS_AWAKE}, job AS (
    INSERT INTO django_q_ormq (key, payload, lock) SELECT %(key)s, %(job)s, clock_timestamp() FROM promised RETURNING id
)
SELECT id, pg_notify(%(channel)s, ''), {lease.SHOW} FROM promised, job
"""


class ListenBroker(ORM):  # type: ignore[misc]  # django-q2 has no type information
    """The stock PostgreSQL broker, except for how it waits: enqueue notifies, dequeue listens.

    It also is the worker's ear for everybody who edits: a knock is a job by itself, and every ``LOOK_SECONDS`` it looks
    for stale customers. And it is what we have in each of a cluster's processes: the
    pusher dequeues, the monitor acknowledges, the sentinel notes its state, so it leaves the signs of life of each.
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
        self._look_due = 0.0
        self._is_knocked = False
        self._has_given = False
        self._stands_back = False
        self._lifeline = Lifeline()
        self._beat = heartbeat.Beat()

    def enqueue(self, task: str) -> int:
        """Store the job and notify, together: a listener hears of it when it can be claimed."""
        with connections[Conf.ORM].cursor() as cursor:
            cursor.execute(ENQUEUE, [self.list_key or Conf.CLUSTER_NAME, task, JOBS_CHANNEL])
            job_id: int = cursor.fetchone()[0]
        return job_id

    def enqueue_unless_awake(self, task: str) -> int | None:
        """Promise to look and queue the job, or neither when somebody else has promised: ``dispatch.wake_sleeping``."""
        queue = self.list_key or Conf.CLUSTER_NAME
        values = {**lease.FIRST_PROMISE, "key": queue, "job": task, "channel": JOBS_CHANNEL}
        with connections[Conf.ORM].cursor() as cursor:
            cursor.execute(ENQUEUE_UNLESS_AWAKE, values)
            cursor.nextset()
            queued = cursor.fetchone()
        return queued[0] if queued else None

    def dequeue(self) -> Jobs | None:
        """Claim jobs, waiting up to a second for one. Never raises for a lost connection: it is made anew."""
        self._lifeline.check()
        if self._has_given:
            sleep(HAND_ON_SECONDS)
        try:
            jobs = self._wait_for_jobs(until=monotonic() + DEQUEUE_SECONDS)
        except (psycopg.Error, Error) as error:
            # Raising would cost ten seconds: django-q2 takes the whole pusher for dead.
            self._mend(error)
            return None
        OUTAGE.over()
        self._has_given = bool(jobs)
        return jobs

    def acknowledge(self, task_id: int) -> None:
        """The job is done. Waits for PostgreSQL if need be: raising would end the monitor, and lose the word."""
        while True:
            try:
                heartbeat.acknowledge(task_id)
            except (OperationalError, InterfaceError) as error:
                self._mend(error)
            else:
                return OUTAGE.over()

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Called twice a second by the sentinel. Its word is worth no more than a word: it waits for nothing."""
        self._lifeline.check()
        if self._lifeline.is_held and self._beat.is_due():
            with suppress(psycopg.Error, Error):
                heartbeat.say_guarded()
            self._beat.done()
        super().set_stat(key, value, timeout)

    def _mend(self, error: Exception) -> None:
        OUTAGE.lost(error)
        self._listener.close()
        close_old_connections()  # and Django's own, which the look uses: outside requests nobody else mends it
        sleep(RECONNECT_SECONDS)

    def _wait_for_jobs(self, until: float) -> Jobs | None:
        if self._beat.is_due():
            self._listener.say_alive(heartbeat.worker_name(), heartbeat.host())
            self._beat.done()
        self._hear(seconds=0)  # what the claim below answers need not wake us after it
        while True:
            if monotonic() >= self._look_due:
                self._look()
            if self._stands_back:
                self._is_knocked = False
                sleep(STAND_BACK_SECONDS)
            jobs = self._answer_knock() or self._listener.claim(self.list_key, heartbeat.worker_name())
            if jobs or monotonic() >= until:
                return jobs
            self._hear(max(0, min(until, self._look_due) - monotonic()))

    def _hear(self, seconds: float) -> None:
        self._is_knocked |= STALE_CHANNEL in self._listener.wait(seconds)

    def _answer_knock(self) -> Jobs:
        """A job for whoever has knocked; none if it is answered already, by us or by another host's worker."""
        if not self._is_knocked:
            return []
        jobs = self._listener.take_up(self.list_key, dispatch.rescore_job(), heartbeat.worker_name())
        self._is_knocked = False
        return jobs

    def _look(self) -> None:
        self._look_due = monotonic() + settings.LOOK_SECONDS
        self._stands_back = model_state.is_missing()
        if (self._model_file.changed() or dispatch.anything_to_do()) and dispatch.wake():
            self._model_file.remember()
        else:  # not in the way of a drain that somebody waits for, which looks for messages itself
            dispatch.send_if_due()
