"""Who goes first when an editor and a drain want the same: the editor."""

from psycopg import errors

# How long a drain waits for a lock: one of the bank's own triggers may want a row that an editor holds, who waits for
# us. Far below PostgreSQL's deadlock_timeout of 1 s: before anybody is shot for a deadlock, the drain has gone.
LOCK_TIMEOUT = "50ms"
# A drain that has lost goes on with so few customers at a time, one by one.
FEW_ROWS = 8


def lost_to_an_editor(error: BaseException) -> bool:
    """Whether a statement of ours ended because another session holds what it needs. Trying again later helps."""
    return isinstance(error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected)


class Pace:
    """How many customers a drain takes at once: fewer when it has lost to an editor, and more again as it goes well."""

    def __init__(self) -> None:
        self._divisor = 1

    def rows(self, limit: int) -> int:
        return max(1, limit // self._divisor)

    def won(self) -> None:
        self._divisor = max(1, self._divisor // 2)

    def lost(self) -> None:
        self._divisor = min(self._divisor * 8, 512)
