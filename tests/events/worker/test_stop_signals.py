"""Signals are waited for, together with the time."""

import os
import signal
import subprocess
import sys
import time

import pytest

from events.worker import stop_signals
from events.worker.stop_signals import STOP, StopSignals

LONG = 60.0  # a wait that is over has not lasted so long


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", STOP)
def test_a_wish_to_stop_ends_the_wait_and_is_counted(number):
    with StopSignals() as signals:
        assert signals.wait(0) == 0
        send(number)
        assert signals.wait(LONG) == 1


def test_the_same_wish_twice_at_once_is_one():
    with StopSignals() as signals:
        send(signal.SIGTERM)
        send(signal.SIGINT)
        assert signals.wait(LONG) == 1


def test_a_later_wish_is_another(monkeypatch):
    monkeypatch.setattr(stop_signals, "SAME_REQUEST_SECONDS", 0.01)
    with StopSignals() as signals:
        send(signal.SIGTERM)
        time.sleep(0.02)
        send(signal.SIGTERM)
        assert signals.wait(LONG) == 2


def test_a_childs_end_ends_the_wait_and_is_no_wish():
    with StopSignals() as signals:
        child = subprocess.Popen([sys.executable, "-c", ""])
        assert signals.wait(LONG) == 0
        child.wait()


def test_without_a_signal_the_time_runs_out():
    with StopSignals() as signals:
        assert signals.wait(0.01) == 0


def test_what_the_starter_chose_to_ignore_stays_ignored():
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            send(signal.SIGHUP)
            assert signals.wait(0.01) == 0
    finally:
        signal.signal(signal.SIGHUP, former)


def test_afterwards_all_is_as_before():
    former = [signal.getsignal(number) for number in STOP]
    with StopSignals():
        assert [signal.getsignal(number) for number in STOP] != former
    assert [signal.getsignal(number) for number in STOP] == former
