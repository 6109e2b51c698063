"""Signals as something to wait for, between two checks of what is going on."""

import select
import signal
import socket
from contextlib import suppress
from time import monotonic
from types import FrameType
from typing import Any, Self

STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# One request may come twice: to us and to our group, or again from a `make` that passes it on.
SAME_REQUEST_SECONDS = 0.5


class StopSignals:
    """Counts what asks this process to stop, as long as the block lasts. A child's end cuts a wait short, too."""

    def __init__(self) -> None:
        self.asked = 0
        self._last = float("-inf")

    def __enter__(self) -> Self:
        # A signal does not end a wait for an event: Python goes on waiting. It does write a byte to a given socket.
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._former_descriptor = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        # What is ignored, as under nohup, stays so: that is for the caller that started us to decide.
        handlers: dict[int, Any] = {
            number: self._ask for number in STOP if signal.getsignal(number) is not signal.SIG_IGN
        }
        handlers[signal.SIGCHLD] = lambda *_: None  # the byte that the signal has written is what matters
        self._former = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_descriptor)
        self._reader.close()
        self._writer.close()

    def wait(self, seconds: float) -> int:
        """Sleep until the time is up or a signal comes; how many have asked to stop by now."""
        select.select([self._reader], [], [], max(0.0, seconds))
        with suppress(BlockingIOError):
            self._reader.recv(4096)
        return self.asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if monotonic() - self._last >= SAME_REQUEST_SECONDS:
            self._last = monotonic()
            self.asked += 1
