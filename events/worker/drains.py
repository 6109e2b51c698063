"""What drains did, stored as facts in the database: for freshness, and for the question what happened last night."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock

from django.db.models import QuerySet
from django.utils import timezone

from customers.scoring.scorer import Batch
from events.models.engine import Drain
from events.worker import heartbeat

KEPT_DAYS = 7

_adding = Lock()


@contextmanager
def recorded() -> Iterator[Drain]:
    """A drain without batches yet; what was added to it is stored once the block ends."""
    drain = Drain(worker=heartbeat.worker_name(), started_at=timezone.now(), claimed=0, stored=0, rejected=0, refused=0)
    yield drain
    drain.save()


def add_batch(drain: Drain, batch: Batch) -> Batch:
    """Count the batch in, whichever thread of the drain did it, and return it."""
    with _adding:
        drain.claimed += batch.claimed
        drain.stored += batch.stored
        drain.rejected += batch.rejected
        drain.refused += batch.refused
    return batch


def old_drains() -> QuerySet[Drain]:
    """Those that are kept no longer."""
    return Drain.objects.filter(ended_at__lt=timezone.now() - timedelta(days=KEPT_DAYS))


def prune_drains() -> int:
    """Delete them; how many there were."""
    return old_drains().delete()[0]
