"""What drains did, kept as facts in the database: for freshness, and for whoever asks what happened last night."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock

from django.db.models import QuerySet
from django.utils import timezone

from customers.scoring.scorer import Batch
from events.models.engine import Drain
from events.worker import heartbeat

KEPT_DAYS = 7


@dataclass
class Tally:
    """The sum of a drain's batches, whichever of its lanes did them."""

    claimed: int = 0
    stored: int = 0
    rejected: int = 0
    refused: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, batch: Batch) -> Batch:
        """Count the batch in, and return it."""
        with self._lock:
            self.claimed += batch.claimed
            self.stored += batch.stored
            self.rejected += batch.rejected
            self.refused += batch.refused
        return batch


@contextmanager
def recorded() -> Iterator[Tally]:
    """Record what the tally came to once the block ends."""
    tally, started_at = Tally(), timezone.now()
    yield tally
    Drain.objects.create(
        worker=heartbeat.worker_name(),
        started_at=started_at,
        claimed=tally.claimed,
        stored=tally.stored,
        rejected=tally.rejected,
        refused=tally.refused,
    )


def too_old() -> QuerySet[Drain]:
    """What nobody asks for any more."""
    return Drain.objects.filter(ended_at__lt=timezone.now() - timedelta(days=KEPT_DAYS))


def prune() -> int:
    """Forget them; how many there were."""
    deleted, _models = too_old().delete()
    return deleted
