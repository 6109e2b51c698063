"""Wakes the workers; the only caller of django-q2's queue."""

from functools import partial

from django.db import transaction
from django.utils import timezone
from django_q.conf import Conf
from django_q.humanhash import uuid
from django_q.signals import pre_enqueue
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from customers.scoring.marks import LOOK
from customers.sql import fetch_row
from events.alerts import outbox
from events.queue import lease
from events.triggers.channels import JOBS_CHANNEL

OUR_BROKER = "events.broker.ListenBroker"

RESCORE_JOB = "events.jobs.rescore_stale"
PRUNE_JOB = "events.jobs.prune_history"
SEND_JOB = "events.jobs.send_alerts"
IMPORT_JOB = "events.jobs.go_on_with_imports"
ACTIVATE_JOB = "events.jobs.activate_approved"
SHADOW_JOB = "events.jobs.score_in_shadow"

ANYTHING_TO_DO = f"SELECT NOT EXISTS (SELECT FROM events_pause) AND ({LOOK})"
A_JOB_WAITS = "SELECT EXISTS (SELECT FROM django_q_ormq WHERE key = %s AND lock <= clock_timestamp())"
# Lease, job and notification in one statement: four of them are a tenth of the way to a score.
QUEUE_UNLESS_HELD = f"""
{lease.LEASED_UNLESS_HELD}, job AS (
    INSERT INTO django_q_ormq (key, payload, lock) SELECT %(key)s, %(job)s, clock_timestamp() FROM leased RETURNING id
)
SELECT id, pg_notify(%(channel)s, ''), {lease.SHOW} FROM leased, job
"""


def wake() -> bool:
    """Queue one job that rescores what is stale, unless a drain is on its way or at work; True if one was queued.

    Call it after the change has committed: the holder of the lease will see it then. Lease and job become visible
    together, and neither waits long for a lock: mostly this runs in an editor's request.
    """
    return not lease.is_held() and wake_unless_held()


def wake_unless_held() -> bool:
    """As ``wake``, for a caller that has seen just now that the lease is free."""
    if Conf.BROKER_CLASS == OUR_BROKER:
        job = pack_job(RESCORE_JOB)
        return lease.acquire(QUEUE_UNLESS_HELD, key=Conf.CLUSTER_NAME, job=job, channel=JOBS_CHANNEL)
    with transaction.atomic():
        if not lease.acquire():
            return False  # another caller was a moment faster
        async_task(RESCORE_JOB)
        return True


def pack_job(function: str) -> str:
    """A job without values as the queue holds it, packed as django-q2's ``async_task`` does it."""
    name, job_id = uuid()
    job = {"id": job_id, "name": name, "func": function, "args": (), "kwargs": {}, "started": timezone.now()}
    job |= {"cached": Conf.CACHED, "ack_failure": Conf.ACK_FAILURES}
    pre_enqueue.send(sender="django_q", task=job)
    return str(SignedPackage.dumps(job))


def anything_to_do() -> bool:
    """Whether customers may be stale and scoring is not paused; some 0.1 ms, whatever the number of customers."""
    return bool(fetch_row(ANYTHING_TO_DO)[0])


def hand_over() -> None:
    """Queue a successor for a drain that ends by its own time limit."""
    with transaction.atomic():
        lease.extend()
        async_task(RESCORE_JOB)


def queue_another_drain() -> bool:
    """Queue one more drain, for any host whose workers are free, unless a job is waiting for one already.

    So a backlog comes to occupy all workers, one after the other, and the queue stays short.
    """
    if fetch_row(A_JOB_WAITS, [Conf.CLUSTER_NAME])[0]:
        return False
    async_task(RESCORE_JOB)
    return True


def send_if_due() -> bool:
    """Queue a job that sends alerts when a message is due, unless one was queued a moment ago; True if one was."""
    if not outbox.anything_due():
        return False
    with transaction.atomic():
        if not outbox.announce_job():
            return False
        async_task(SEND_JOB)
        return True


def go_on_pruning(after_record: int) -> None:
    """Queue a successor for a pruning of the history that ends by its own time limit."""
    async_task(PRUNE_JOB, after_record)


def queue(function: str) -> None:
    """Queue a job that goes on where another has ended by its own time limit."""
    async_task(function)


def queue_on_commit(function: str) -> None:
    """Queue a job that a page leaves to the workers, once the present transaction has committed."""
    transaction.on_commit(partial(async_task, function))
