"""The cluster's parent-death watch: a cluster whose supervisor is gone, or that is broken, ends itself.

Crash-only: what is killed loses nothing, so the end of the whole process group is the cure for everything. It
reads a pipe whose other end the supervisor alone holds, so it is closed when that dies, however it dies.
"""

import logging
import multiprocessing
import os
import select
import signal
from multiprocessing.process import BaseProcess

from django.conf import settings

log = logging.getLogger("vigilpay.events")


class ParentDeathWatch:
    """Checked by two processes, the sentinel and the pusher, so that one that hangs doesn't matter."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = settings.LIFELINE_FD if descriptor is None else descriptor
        self._children: set[BaseProcess] = set()

    @property
    def is_on(self) -> bool:
        """Whether this cluster was started by a supervisor, which would start another."""
        return self._descriptor >= 0

    def check(self) -> None:
        """End the whole cluster if its supervisor is gone, or if a child of this process was killed."""
        if not self.is_on:
            return
        # Nothing is ever written, so readable means closed.
        readable, _, _ = select.select([self._descriptor], [], [], 0)
        if readable:
            end_the_cluster("its supervisor is gone")
        # django-q2 replaces a killed process, but not a lock that it held: all others would wait for that for ever.
        if any((child.exitcode or 0) < 0 for child in self._children):
            end_the_cluster("one of its processes was killed, perhaps while it held a lock of the others")
        self._children = set(multiprocessing.active_children())


def end_the_cluster(reason: str) -> None:
    """SIGKILL to every process of this group, this one too."""
    log.critical("The whole cluster ends: %s.", reason)
    os.killpg(os.getpgrp(), signal.SIGKILL)
