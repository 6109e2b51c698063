"""Ctrl-C at moments at which half of the work would be left behind: it comes when the block has ended."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Those that a command may have turned into a KeyboardInterrupt.
ASK_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def held() -> Iterator[None]:
    """Raise the KeyboardInterrupt of the block's time at its end; other threads than the main one never get any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    held_back = [number for number in ASK_TO_STOP if signal.getsignal(number) is signal.default_int_handler]
    for number in held_back:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number in held_back:
            signal.signal(number, signal.default_int_handler)
        if came:
            raise KeyboardInterrupt
