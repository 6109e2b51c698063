"""Several editors at once, each of them a process with a connection of its own."""

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from time import perf_counter, sleep
from typing import Self

GATHER_SECONDS = 0.1  # until all know when to begin

# Makes the edit that one editor repeats; called in that editor's process, with its number.
Prepare = Callable[[int], Callable[[], object]]


class Crew:
    """Editors that wait between rounds: starting them is no part of any round."""

    def __init__(self, size: int, prepare: Prepare) -> None:
        # Not forked: a fork would share this process's connections.
        spawning = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._editors = []
        for number in range(size):
            ours, theirs = spawning.Pipe()
            editor = spawning.Process(target=_work, args=(theirs, prepare, number), daemon=True)
            editor.start()
            theirs.close()
            self._pipes.append(ours)
            self._editors.append(editor)

    def __enter__(self) -> Self:
        for pipe in self._pipes:
            pipe.recv()  # "ready"; EOFError when one could not be
        return self

    def __exit__(self, *exc_info: object) -> None:
        for pipe in self._pipes:
            with suppress(OSError):
                pipe.send(None)
            pipe.close()
        for editor in self._editors:
            editor.join()

    def rate(self, seconds: float) -> float:
        """Let all edit as fast as they can for that long; edits per second of all together."""
        begin = perf_counter() + GATHER_SECONDS
        for pipe in self._pipes:
            pipe.send((begin, begin + seconds))
        return sum(pipe.recv() for pipe in self._pipes) / seconds


def _work(pipe: Connection, prepare: Prepare, number: int) -> None:
    edit = prepare(number)
    pipe.send("ready")
    with suppress(EOFError):
        while (times := pipe.recv()) is not None:
            pipe.send(_edits_between(edit, *times))


def _edits_between(edit: Callable[[], object], begin: float, end: float) -> int:
    sleep(max(0.0, begin - perf_counter()))  # one clock for all processes of a machine
    edits = 0
    while perf_counter() < end:
        edit()
        edits += 1
    return edits
