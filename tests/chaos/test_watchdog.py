"""The stand-in for systemd does what the unit file says."""

import os
import socket
import subprocess
import sys

import pytest

from tests.chaos import watchdog
from tests.chaos.watchdog import Watchdog, seconds_of, unit_of_the_worker

SAY = "import os, socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto({!r}, os.environ['NOTIFY_SOCKET'])"


@pytest.fixture
def clock(monkeypatch):
    times = {"now": 100.0}
    monkeypatch.setattr(watchdog, "monotonic", lambda: times["now"])
    return times


@pytest.fixture
def made(tmp_path):
    dogs = []

    def make(**unit):
        dogs.append(Watchdog(tmp_path / f"{len(dogs)}.notify", unit))
        return dogs[-1]

    yield make
    for dog in dogs:
        dog.close()


def say(dog, word):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(word.encode(), dog.environment()["NOTIFY_SOCKET"])


def test_a_unit_without_a_watchdog_is_told_of_none_and_waits_for_ever(made, clock):
    dog = made(Type="exec")
    dog.began(os.getpid())
    clock["now"] += 3600
    assert dog.environment() == {}
    assert not dog.takes_it_for_hung()


def test_who_is_silent_for_too_long_is_hung_and_who_speaks_in_time_is_not(made, clock):
    dog = made(Type="notify", WatchdogSec="5")
    assert dog.environment()["WATCHDOG_USEC"] == "5000000"
    dog.began(os.getpid())
    clock["now"] += 60
    assert not dog.takes_it_for_hung(), "it is not ready yet"
    say(dog, "READY=1")
    assert not dog.takes_it_for_hung()
    clock["now"] += 4
    say(dog, "STATUS=well\nWATCHDOG=1")
    assert not dog.takes_it_for_hung()
    clock["now"] += 4
    assert not dog.takes_it_for_hung()
    clock["now"] += 2
    assert dog.takes_it_for_hung()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel names the sender on Linux only")
@pytest.mark.parametrize(("access", "counts"), [("main", False), ("all", True)])
def test_a_child_speaks_for_its_parent_only_where_the_unit_file_lets_it(made, clock, access, counts):
    dog = made(Type="exec", WatchdogSec="5", NotifyAccess=access)
    dog.began(os.getpid())
    clock["now"] += 6
    command = [sys.executable, "-c", SAY.format(b"WATCHDOG=1")]
    subprocess.run(command, env={**os.environ, **dog.environment()}, check=True)
    assert dog.takes_it_for_hung() is not counts


def test_the_unit_file_of_the_worker_is_read(tmp_path):
    assert unit_of_the_worker()["KillMode"] == "mixed"
    unit = tmp_path / "some.service"
    unit.write_text(
        "[Unit]\nAfter=network.target\n[Service]\nType=exec\nType=notify\n[Install]\nWantedBy=some.target\n"
    )
    assert unit_of_the_worker(unit) == {"Type": "notify"}


@pytest.mark.parametrize(("value", "seconds"), [("20", 20), ("20s", 20), ("1min", 60), ("500ms", 0.5), ("", 0)])
def test_times_are_read_as_systemd_writes_them(value, seconds):
    assert seconds_of(value) == seconds
