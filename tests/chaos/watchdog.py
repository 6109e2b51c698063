"""A stand-in for systemd's watchdog: does what the unit file of the worker says, and nothing that it does not say."""

import re
import signal
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from vigilpay.env import ROOT

UNIT = ROOT / "deploy" / "vigilpay-worker.service"
LONGEST_SECONDS = 10.0  # a storm's intervals are shorter than those of production
MESSAGE_BYTES = 4096
CREDENTIALS = struct.Struct("3i")  # process, user, group
UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "min": 60.0, "ms": 0.001}


class Watchdog:
    """Receives what a service reports to NOTIFY_SOCKET. Silent for WatchdogSec, it is taken for hung."""

    def __init__(self, path: Path, unit: Mapping[str, str]) -> None:
        self._seconds = min(seconds_of(unit.get("WatchdogSec", "0")), LONGEST_SECONDS)
        self._begins_when_ready = unit.get("Type") in {"notify", "notify-reload"}
        self.signal = signal.Signals[unit.get("WatchdogSignal", "SIGABRT")]
        self._listens_to_children = unit.get("NotifyAccess") in {"all", "exec"}
        self._path = path
        self._heard: float | None = None
        self._main = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(path))
        path.chmod(0o666)

    def environment(self) -> dict[str, str]:
        if not self._seconds and not self._begins_when_ready:
            return {}
        period = {"WATCHDOG_USEC": str(int(self._seconds * 1_000_000))} if self._seconds else {}
        return {"NOTIFY_SOCKET": str(self._path), **period}

    def began(self, main: int) -> None:
        """A main process has been started: from now on, or from its READY=1 on, it has to report."""
        self._listen()  # what a former one said
        self._main, self._heard = main, None if self._begins_when_ready else monotonic()

    def takes_it_for_hung(self) -> bool:
        for message in self._listen():
            if message.keys() & {"READY", "WATCHDOG"}:
                self._heard = monotonic()
            if message.get("WATCHDOG") == "trigger":
                return True
        return bool(self._seconds) and self._heard is not None and monotonic() - self._heard > self._seconds

    def close(self) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _listen(self) -> list[dict[str, str]]:
        found = []
        while True:
            try:
                data, about, _, _ = self._socket.recvmsg(MESSAGE_BYTES, socket.CMSG_SPACE(CREDENTIALS.size))
            except BlockingIOError:
                return found
            if self._listens_to_children or self._main in senders(about):
                found.append(dict(line.partition("=")[::2] for line in data.decode().splitlines()))


def senders(about: list[tuple[int, int, bytes]]) -> set[int]:
    """Which process has sent this, as the kernel says."""
    return {CREDENTIALS.unpack(data)[0] for _, kind, data in about if kind == socket.SCM_CREDENTIALS}


def unit_of_the_worker(path: Path = UNIT) -> dict[str, str]:
    """The settings of its [Service] section; of those said twice, the last."""
    section = re.search(r"^\[Service\]\n(.*?)(?=^\[|\Z)", path.read_text(), re.MULTILINE | re.DOTALL)
    return dict(re.findall(r"^(\w+)=(.*)$", section[1] if section else "", re.MULTILINE))


def seconds_of(value: str) -> float:
    """A time as systemd writes it, as far as unit files of ours do."""
    found = re.fullmatch(r"\s*([\d.]+)\s*([a-z]*)\s*", value)
    return float(found[1]) * UNITS[found[2]] if found else 0.0
