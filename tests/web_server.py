"""The web server as it is deployed: gunicorn with the options of the unit file, on a port of its own."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import psutil

from tests.others import await_that

ROOT = Path(__file__).resolve().parent.parent
UNIT = ROOT / "deploy" / "vigilpay-web.service"


def deployed_options() -> list[str]:
    """What the unit file gives gunicorn, without the address."""
    command = re.search(r"^ExecStart=(.*?)(?<!\\)$", UNIT.read_text(), re.MULTILINE | re.DOTALL)[1]
    _program, *options = shlex.split(command.replace("\\\n", " "))
    place = options.index("--bind")
    return options[:place] + options[place + 2 :]


@dataclass(frozen=True)
class Site:
    """Where it listens."""

    port: int
    process: psutil.Process

    def connect(self, sent: bytes = b"", buffer_bytes: int = 0) -> socket.socket:
        """A client that says this much and then waits; with a small buffer, and packets as they are on the internet."""
        client = socket.socket()
        if buffer_bytes:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        client.settimeout(30)
        client.connect(("127.0.0.1", self.port))
        client.sendall(sent)
        return client

    def get(self, path: str, timeout: float = 20, **headers: str) -> HTTPResponse:
        return self.ask("GET", path, timeout=timeout, headers=headers)

    def ask(self, method: str, path: str, *, timeout: float = 20, **options: object) -> HTTPResponse:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        connection.request(method, path, **options)
        response = connection.getresponse()
        response.text = response.read()
        connection.close()
        return response

    def memory_bytes(self) -> int:
        """Of all its processes, without what they share."""
        return sum(it.memory_full_info().uss for it in (self.process, *self.process.children()))


@contextmanager
def running_site(url: str, log: Path, *options: str, **environment: str) -> Iterator[Site]:
    """On that database, with other options than those of the unit file if any are given."""
    chosen = list(options) or deployed_options()
    command = [sys.executable, "-m", "gunicorn", *(chosen if options else []), "--bind", "127.0.0.1:0"]
    command += ["vigilpay.wsgi"] if options else chosen
    told = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "vigilpay.settings", **environment}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=told, stdout=output, stderr=subprocess.STDOUT)
        try:
            found = await_that(
                lambda: re.search(r"Listening at: http://127.0.0.1:(\d+)", log.read_text()), "it listens"
            )
            site = Site(int(found[1]), psutil.Process(process.pid))
            await_that(lambda: site.get("/health/live", timeout=60).status == 200, "it answers", seconds=60)
            yield site
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: tests leave connections open
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
