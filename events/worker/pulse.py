"""Is a cluster alive? Judged from outside, by facts that its processes leave in the database.

No clock but our own takes part: what counts is how long a fact has not changed before our eyes.
"""

from dataclasses import dataclass
from datetime import datetime

# A cluster that has just been started imports, connects, and may have to compile the model's kernels: all of its
# processes are slow until its first job is done.
START_SECONDS = 120.0


@dataclass(frozen=True)
class Facts:
    """What a row of ``events_worker`` says; nothing where there is none."""

    looked_at: datetime | None = None
    guarded_at: datetime | None = None
    claimed_at: datetime | None = None
    acknowledged_at: datetime | None = None


class Pulse:
    """Tells a stall from facts. Times are those of ``monotonic()``."""

    def __init__(self, stall_seconds: float, now: float) -> None:
        self._stall_seconds = stall_seconds
        self._facts = Facts()
        self._has_started = False
        self._began = self._felt = self._looked = self._guarded = self._claimed = now

    def feel(self, facts: Facts, now: float) -> str:
        """What is wrong with the cluster, in words; empty when nothing is."""
        if now - self._felt > self._stall_seconds / 2:
            self.forgive(now)  # it was ourselves who stood still, and perhaps the whole machine
        former, self._facts, self._felt = self._facts, facts, now
        if facts.looked_at != former.looked_at:
            self._looked = now
        if facts.guarded_at != former.guarded_at:
            self._guarded = now
        if facts.claimed_at is None or facts.claimed_at != former.claimed_at:
            self._claimed = now
        if facts.acknowledged_at is not None and not self._has_started:
            self._has_started = True
            self.forgive(now)
        return self._fault(now)

    def forgive(self, now: float) -> None:
        """Nothing could be seen until now, and perhaps the cluster could not do anything either."""
        self._felt = self._looked = self._guarded = self._claimed = now

    def is_steady(self, now: float) -> bool:
        """Whether the cluster has done some work, and lived so long that a stall would have shown."""
        return self._facts.acknowledged_at is not None and now - self._began > self._stall_seconds

    def _fault(self, now: float) -> str:
        facts = self._facts
        for word, since, first_seen in (
            ("its pusher has not looked for jobs", self._looked, facts.looked_at),
            ("its sentinel has not guarded it", self._guarded, facts.guarded_at),
            ("it has claimed a job and acknowledged none", self._claimed, facts.acknowledged_at),
        ):
            is_at_work = self._has_started and first_seen
            patience = self._stall_seconds if is_at_work else max(self._stall_seconds, START_SECONDS)
            if now - since > patience:
                return f"{word} for {now - since:.0f} s"
        return ""
