"""When an editor and a drain want the same row, the editor goes first."""

from psycopg import errors

# How long a drain waits for a lock: one of the bank's own triggers may want a row of an editor, and that editor one of
# ours. Far below PostgreSQL's deadlock_timeout of 1 s: the drain has gone before a session is ended for a deadlock.
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

    def limited(self, rows: int) -> int:
        return max(1, rows // self._divisor)

    def won(self) -> None:
        self._divisor = max(1, self._divisor // 2)

    def lost(self) -> None:
        self._divisor = min(self._divisor * 8, 512)
