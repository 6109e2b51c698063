"""Reports to systemd (sd_notify(3)) that this service is up, and again and again that it is still alive."""

import socket
from contextlib import suppress

READY = "READY=1"
ALIVE = "WATCHDOG=1"
STOPPING = "STOPPING=1"


class ServiceManager:
    """One datagram for each state, to the socket that systemd names in NOTIFY_SOCKET. Without one, nothing is sent."""

    def __init__(self, address: str = "") -> None:
        # An abstract socket has no file: its name begins with a NUL, which a variable can't hold.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def report_state(self, state: str) -> None:
        """Never waits, never fails: a manager that does not read must not hold up what it manages."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_it:
            to_it.setblocking(False)
            to_it.sendto(state.encode(), self._address)
