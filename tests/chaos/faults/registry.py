"""What a fault is, and how it gets its name."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    import random

    from tests.chaos.editors import Way
    from tests.chaos.storm import Storm

End = Callable[[], None] | None
Inject = Callable[["Storm", "random.Random"], End]


class BrokenPromiseError(Exception):
    """A fault has seen for itself that something did not hold which has to hold while it lasts."""


@dataclass(frozen=True)
class Fault:
    """Done to a storm once; what lasts returns how to end it. Whatever it leaves behind goes to ``storm.later``."""

    name: str
    inject: Inject
    outage: bool = False  # editors may lose their connections
    quiet: bool = False  # done to sleeping workers before the editors start, not in their midst
    short: bool | None = None  # belongs to every short storm, or to none; else the seed decides
    prepare: Inject | None = None  # done before the editors start, to whatever the workers are doing
    ways: "tuple[Way, ...]" = ()  # of editing, drawn as often as all the others together
    others: bool = True  # whether those others are drawn at all
    refusals: bool = False  # PostgreSQL refuses some of these edits without us, too: counted beside a run without us
    needs: tuple[str, ...] = ()  # PostgreSQL's programs, which not every installation has


FAULTS: dict[str, Fault] = {}


def fault(name: str, **more: Any) -> Callable[[Inject], Inject]:
    """Register a fault; ``more`` are fields of ``Fault``."""

    def register(inject: Inject) -> Inject:
        FAULTS[name] = Fault(name, inject, **more)
        return inject

    return register


def repeat(action: Callable[[], object], every: float) -> Callable[[], None]:
    """Do it again and again, whatever else is out of order; returns how to end that."""
    stop = Event()

    def run() -> None:
        while not stop.wait(every):
            with suppress(psycopg.Error):
                action()

    thread = Thread(target=run, daemon=True)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join()

    return end
