"""Work that takes only what the processors of this host have left."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from django.db import connection

T = TypeVar("T")

LAST = 19  # of the priorities that a system has for processes


def in_low_priority(work: Callable[[], T]) -> T:
    """Do it in a thread of its own that comes after all others, with a database connection of its own.

    Priority can be given up and not taken back, so the thread ends with the work. Only Linux knows priorities of
    threads; elsewhere the work has that of the worker.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="low priority", initializer=step_back) as pool:
        return pool.submit(and_disconnect, work).result()


def step_back() -> None:
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LAST)


def and_disconnect(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connection.close()
