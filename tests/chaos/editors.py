"""Editors: each a thread with connections of its own, that edits at random and knows what it has committed."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import psycopg
from django.db import connections

from customers.models import Customer
from tests.chaos.errors import described, is_duplicate, is_outage, is_refusal
from tests.chaos.ledger import Effects, Ledger
from tests.chaos.people import Portfolio, unused_ids

OUTAGE_PATIENCE_SECONDS = 60.0  # how long an editor goes on trying to reach PostgreSQL
RETRY_PAUSE_SECONDS = 0.1
PAUSE_SECONDS = 0.01  # between two edits, at most


@dataclass(frozen=True)
class Edit:
    """One transaction: what to do, and what it leaves of customers once it has committed."""

    do: Callable[[], Any]
    effects: Effects = field(default_factory=dict)
    inserts: bool = False  # repeated after an unconfirmed commit, it may find its own rows there


Way = Callable[["Editor"], Iterable[Edit]]


class BusyError(Exception):
    """Asked to try again later, and did so: neither an edit made nor one that failed."""


@dataclass(frozen=True)
class Bears:
    """What makes an editor try again, instead of counting a failure."""

    outages: bool = False
    refusals: bool = False


@dataclass
class Tally:
    """What came of the edits."""

    made: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    outages: int = 0
    busy: int = 0
    refused: int = 0
    slowest_seconds: float = 0.0  # of all attempts

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.made + other.made,
            self.failed + other.failed,
            self.outages + other.outages,
            self.busy + other.busy,
            self.refused + other.refused,
            max(self.slowest_seconds, other.slowest_seconds),
        )

    def share_refused(self) -> float:
        """Of all attempts."""
        return self.refused / (self.made.total() + self.refused or 1)


class Editor:
    """A client that edits customers for as long as a storm lasts."""

    def __init__(self, number: int, url: str, portfolio: Portfolio, ledger: Ledger) -> None:
        self.number = number
        self.url = url
        self.portfolio = portfolio
        self.ledger = ledger
        self.pick = random.Random()
        self.unused = unused_ids(number)
        self.old_instances: list[Customer] = []
        self.tally = Tally()
        self.bears: Bears = Bears()
        self._session: psycopg.Connection[Any] | None = None

    # --- what the ways of editing draw from ---------------------------------------------------------------------------

    def own(self, number: int = 1) -> list[int]:
        """Some of this editor's customers, in no order."""
        return self.pick.sample(self.ledger.existing(), number)

    def own_one(self) -> int:
        return self.own()[0]

    def anybodys(self, number: int = 1) -> list[int]:
        """Some customers that all edit, or some of its own; in the order in which editors lock."""
        shared = self.pick.random() < 0.5
        return sorted(self.pick.sample(self.portfolio.shared, number) if shared else self.own(number))

    def new_ids(self, number: int = 1) -> list[int]:
        found = [next(self.unused) for _ in range(number)]
        for customer in found:
            self.ledger.open(customer)
        return found

    def session(self) -> psycopg.Connection[Any]:
        """Its connection beside Django's: autocommit, no signals."""
        if self._session is None:
            self._session = psycopg.connect(self.url, autocommit=True, application_name="editor")
        return self._session

    # --- the work -----------------------------------------------------------------------------------------------------

    def edit_until(self, stop: Event, ways: Sequence[Sequence[Way]], seed: str, bears: Bears) -> None:
        """``ways`` in groups that are drawn equally often."""
        self.pick.seed(f"{seed}/editor {self.number}")
        self.tally, self.bears = Tally(), bears
        try:
            while not stop.is_set():
                way = self.pick.choice(self.pick.choice(ways))
                for edit in way(self):
                    self.attempt(way.__name__, edit)
                sleep(self.pick.uniform(0, PAUSE_SECONDS))
        except Exception as error:
            self.tally.failed.append(f"editor {self.number} stopped: {described(error)}")
        finally:
            self.disconnect()

    def attempt(self, name: str, edit: Edit) -> None:
        """Edit; after an outage again, until PostgreSQL has confirmed it."""
        gives_up = monotonic() + OUTAGE_PATIENCE_SECONDS
        again = False
        while (error := self._once(edit, again)) is not None:
            if isinstance(error, BusyError):
                self.tally.busy += 1
                return
            if not self._tries_again(error, edit) or monotonic() > gives_up:
                self.tally.failed.append(f"editor {self.number}, {name}: {described(error)}")
                return
            again = True
            sleep(RETRY_PAUSE_SECONDS)
        self.ledger.committed(edit.effects)
        self.tally.made[name] += 1

    def _tries_again(self, error: Exception, edit: Edit) -> bool:
        if self.bears.refusals and is_refusal(error):
            self.tally.refused += 1
            return True
        self.ledger.unconfirmed(edit.effects)
        if self.bears.outages and is_outage(error):
            self.tally.outages += 1
            return True
        return False

    def _once(self, edit: Edit, again: bool) -> Exception | None:
        began = monotonic()
        try:
            edit.do()
        except Exception as error:
            self.disconnect()
            return None if edit.inserts and again and is_duplicate(error) else error
        finally:
            self.tally.slowest_seconds = max(self.tally.slowest_seconds, monotonic() - began)
        return None

    def disconnect(self) -> None:
        with suppress(Exception):
            connections["default"].close()
        if self._session is not None:
            with suppress(psycopg.Error):
                self._session.close()
            self._session = None


class Editors:
    """All of them at once."""

    def __init__(self, editors: list[Editor], ways: Sequence[Way]) -> None:
        self.all_editors = editors
        self._ways = ways

    def start(self, seed: str, bears: Bears, more_ways: Sequence[Way] = (), *, others: bool = True) -> "AtWork":
        ways = [group for group in (self._ways if others else (), more_ways) if group]
        stop = Event()
        threads = [
            Thread(
                target=editor.edit_until,
                args=(stop, ways, seed, bears),
                daemon=True,
            )
            for editor in self.all_editors
        ]
        for thread in threads:
            thread.start()
        return AtWork(self.all_editors, threads, stop)


class AtWork:
    def __init__(self, editors: list[Editor], threads: list[Thread], stop: Event) -> None:
        self._editors, self._threads, self._stop = editors, threads, stop

    def finish(self) -> Tally:
        """Let all editors finish the edit at hand; the tally of all. An editor who hangs has failed."""
        self._stop.set()
        ends = monotonic() + 2 * OUTAGE_PATIENCE_SECONDS
        for thread in self._threads:
            thread.join(timeout=max(0, ends - monotonic()))
        return sum(self._tallies(), start=Tally())

    def _tallies(self) -> Iterator[Tally]:
        for editor, thread in zip(self._editors, self._threads, strict=True):
            yield editor.tally
            if thread.is_alive():
                yield Tally(failed=[f"editor {editor.number} hangs"])
