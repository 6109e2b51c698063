"""sd_notify, without systemd: a socket of the test's own receives the states."""

import socket

import pytest

from events.worker.service_manager import ALIVE, ServiceManager


@pytest.mark.parametrize("abstract", [False, True], ids=["file", "abstract"])
def test_each_word_is_a_datagram(tmp_path, abstract):
    address = f"@vigilpay-test-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address.replace("@", "\0", 1))
        systemd.settimeout(5)
        manager = ServiceManager(address)
        manager.report_state("READY=1")
        manager.report_state(ALIVE)
        assert [systemd.recv(100), systemd.recv(100)] == [b"READY=1", b"WATCHDOG=1"]


def test_a_manager_that_does_not_read_is_not_waited_for(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        for _ in range(10_000):
            ServiceManager(str(tmp_path / "notify")).report_state(ALIVE)


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "@no-listener-here", "x" * 300])
def test_without_one_nothing_is_said(address):
    ServiceManager(address).report_state(ALIVE)
