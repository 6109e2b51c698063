"""Conditions that last: one line when one begins, when it changes and when it ends, however often it is noticed."""

import hashlib
import logging
import mmap
import struct
from multiprocessing import get_context
from time import monotonic

# The state that was logged last, and when it began; zeros where nothing was logged.
_LOGGED = struct.Struct("8sd")
_NOTHING = bytes(8)
# A process that was killed in its turn never gives it back.
_TURN_SECONDS = 0.1


class Condition:
    """A condition that many calls notice, and an operator wants to read of once.

    Made before a fork, at the top of a module, it is shared by the processes that come of the fork: workers that come
    and go every few minutes do not log again what another has logged.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._memory = mmap.mmap(-1, _LOGGED.size)
        self._turn = get_context("fork").Lock()

    @property
    def is_on(self) -> bool:
        return self._logged()[0] != _NOTHING

    @property
    def seconds(self) -> float:
        """For how long it has been as it was logged last."""
        return monotonic() - self._logged()[1]

    def begin(self, text: str, *values: object, state: str = "", level: int = logging.WARNING) -> None:
        """Log the text, unless it was logged last. Texts of the same ``state``, if one is given, count as one."""
        words = text % values
        if self._becomes(hashlib.sha256((state or words).encode()).digest()[:8]):
            self._log.log(level, words)

    def end(self, text: str, *values: object, level: int = logging.WARNING) -> None:
        """Log the text if the condition was on."""
        if self._becomes(_NOTHING):
            self._log.log(level, text, *values)

    def _logged(self) -> tuple[bytes, float]:
        state, since = _LOGGED.unpack(self._memory[:])
        return state, since

    def _becomes(self, state: bytes) -> bool:
        """Whether that is news."""
        if self._logged()[0] == state:
            return False  # mostly, and without a turn
        is_ours = self._turn.acquire(timeout=_TURN_SECONDS)
        try:
            is_news = self._logged()[0] != state
            if is_news:
                self._memory[:] = _LOGGED.pack(state, monotonic())
            return is_news
        finally:
            if is_ours:
                self._turn.release()
