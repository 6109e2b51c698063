"""A cluster ends itself when its supervisor is gone, and when one of its processes was killed."""

import multiprocessing
import os
import signal
import time
from contextlib import suppress

import pytest

from events.worker import lifeline
from events.worker.lifeline import ParentDeathWatch
from tests.others import await_that


@pytest.fixture
def ends(monkeypatch):
    """The reasons given, where the group would have been killed."""
    given = []
    monkeypatch.setattr(lifeline, "end_the_cluster", given.append)
    return given


@pytest.fixture
def pipe():
    ours, theirs = os.pipe()
    yield ours, theirs
    for descriptor in (ours, theirs):
        with suppress(OSError):
            os.close(descriptor)


def killed_child():
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=[60])
    child.start()
    return child


def test_as_long_as_the_supervisor_holds_the_other_end_nothing_happens(ends, pipe):
    watch = ParentDeathWatch(pipe[0])
    assert watch.is_on
    watch.check()
    assert ends == []


def test_when_the_other_end_is_closed_the_cluster_ends(ends, pipe):
    os.close(pipe[1])
    ParentDeathWatch(pipe[0]).check()
    [reason] = ends
    assert "supervisor is gone" in reason


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_when_a_child_died_by_a_signal_the_cluster_ends(ends, pipe, how):
    watch, child = ParentDeathWatch(pipe[0]), killed_child()
    watch.check()
    assert ends == []
    os.kill(child.pid, how)
    await_that(lambda: not child.is_alive(), "it is dead")
    watch.check()
    [reason] = ends
    assert "was killed" in reason


def test_a_child_that_ended_by_itself_is_no_reason(ends, pipe):
    watch = ParentDeathWatch(pipe[0])
    child = multiprocessing.get_context("fork").Process(target=os._exit, args=[1])
    child.start()
    watch.check()
    child.join()
    watch.check()
    assert ends == []


def test_a_cluster_without_a_supervisor_is_left_alone(ends):
    watch, child = ParentDeathWatch(), killed_child()
    watch.check()
    child.kill()
    child.join()
    watch.check()
    assert not watch.is_on
    assert ends == []


def test_the_end_is_that_of_the_whole_group():
    first, second = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(second, b"ready")
            time.sleep(60)
        os.read(first, 5)
        lifeline.end_the_cluster("for this test")
        os._exit(0)
    os.close(second)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert os.read(first, 5) == b""  # no process of that group holds the other end any more
    os.close(first)
