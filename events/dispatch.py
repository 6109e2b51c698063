"""Wakes the workers; the only caller of django-q2's queue."""

from django.db import connection, transaction
from django_q.tasks import async_task

from customers import claims
from events import watch

RESCORE_JOB = "events.jobs.rescore_stale"


def wake() -> bool:
    """Queue one job that rescores what is stale, unless a drain is on its way or at work; True if one was queued."""
    with transaction.atomic():
        lose_rather_than_wait()
        if not watch.promise_unless_awake():
            return False
        async_task(RESCORE_JOB)
        return True


def wake_if_stale() -> bool:
    """Look for stale customers, and wake a worker when there are any."""
    return claims.anything_stale() and wake()


def hand_over() -> None:
    """Queue a successor for a drain that ends by its own time limit, with work left."""
    with transaction.atomic():
        lose_rather_than_wait()
        watch.promise()
        async_task(RESCORE_JOB)


def lose_rather_than_wait() -> None:
    """A job is a hint: one lost in a crash costs a second, while waiting for the disk would cost every knock."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO off")
