"""Wakes the workers; the only caller of django-q2's queue."""

from functools import partial
from typing import Protocol, runtime_checkable

from django.db import connection, transaction
from django_q.brokers import get_broker
from django_q.conf import Conf
from django_q.tasks import async_task

from customers.scoring.marks import LOOK
from events.alerts import outbox
from events.queue import lease

RESCORE_JOB = "events.jobs.rescore_stale"
PRUNE_JOB = "events.jobs.prune_history"
SEND_JOB = "events.jobs.send_alerts"
IMPORT_JOB = "events.jobs.go_on_with_imports"

ANYTHING_TO_DO = f"SELECT NOT EXISTS (SELECT FROM events_pause) AND ({LOOK})"
A_JOB_WAITS = "SELECT EXISTS (SELECT FROM django_q_ormq WHERE key = %s AND lock <= clock_timestamp())"


def wake() -> bool:
    """Queue one job that rescores what is stale, unless a drain is on its way or at work; True if one was queued.

    Call it after the change has committed: whoever has promised to look then will see it. Promise and job become
    visible together, and neither waits long for a lock: mostly this runs in an editor's request.
    """
    return not lease.is_awake() and wake_sleeping()


def wake_sleeping() -> bool:
    """As ``wake``, for a caller who has seen just now that nobody is awake."""
    broker = get_broker()
    if isinstance(broker, PromisingBroker):
        waker = Waker(broker)
        async_task(RESCORE_JOB, broker=waker)
        return waker.has_queued
    with transaction.atomic():
        if not lease.promise_unless_awake():
            return False  # somebody else was a moment faster
        async_task(RESCORE_JOB)
        return True


def rescore_job() -> str:
    """The job that rescores what is stale, packed as the queue holds it, for whoever takes it up himself."""
    packing = Packing()
    async_task(RESCORE_JOB, broker=packing)
    return packing.job


class Packing:
    """What ``async_task`` needs of a broker, for a job that is not queued."""

    list_key = ""
    job = ""

    def enqueue(self, task: str) -> None:
        self.job = task


@runtime_checkable
class PromisingBroker(Protocol):
    """A broker that promises and queues in one statement: four of them are a tenth of the way to a score."""

    list_key: str

    def enqueue_unless_awake(self, task: str) -> int | None: ...


class Waker:
    """What ``async_task`` needs of a broker, for a job that is queued only if nobody is awake."""

    def __init__(self, broker: PromisingBroker) -> None:
        self.list_key = broker.list_key
        self.has_queued = False
        self._broker = broker

    def enqueue(self, task: str) -> int | None:
        job_id = self._broker.enqueue_unless_awake(task)
        self.has_queued = job_id is not None
        return job_id


def anything_to_do() -> bool:
    """Whether customers may be stale and scoring is not paused; some 0.1 ms, whatever the number of customers."""
    with connection.cursor() as cursor:
        cursor.execute(ANYTHING_TO_DO)
        return bool(cursor.fetchone()[0])


def wake_if_stale() -> bool:
    """Look for stale customers, and wake a worker when there are any."""
    return anything_to_do() and wake()


def hand_over() -> None:
    """Queue a successor for a drain that ends by its own time limit."""
    with transaction.atomic():
        lease.promise()
        async_task(RESCORE_JOB)


def call_for_help() -> bool:
    """Queue one more drain, for any host whose workers are free, unless a job is waiting for one already.

    So a backlog comes to occupy all workers, one after the other, and the queue stays short.
    """
    with connection.cursor() as cursor:
        cursor.execute(A_JOB_WAITS, [Conf.CLUSTER_NAME])
        if cursor.fetchone()[0]:
            return False
    async_task(RESCORE_JOB)
    return True


def send_if_due() -> bool:
    """Queue a job that sends alerts when a message is due, unless one was queued a moment ago; True if one was."""
    if not outbox.anything_due():
        return False
    with transaction.atomic():
        if not outbox.call():
            return False
        async_task(SEND_JOB)
        return True


def go_on_pruning(after_record: int) -> None:
    """Queue a successor for a pruning of the history that ends by its own time limit."""
    async_task(PRUNE_JOB, after_record)


def queue_on_commit(function: str) -> None:
    """Queue a job that a page leaves to the workers, once the present transaction has committed."""
    transaction.on_commit(partial(async_task, function))
