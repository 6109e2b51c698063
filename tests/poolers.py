"""A real pgbouncer in front of the test's server, for as long as a block lasts."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.others import await_that

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="no pgbouncer on this machine")

SETTINGS = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {sessions}
max_client_conn = 100
"""


@contextmanager
def pgbouncer(url: str, mode: str = "transaction", sessions: int = 10) -> Iterator[str]:
    """The address by which the database of ``url`` is reached through the pooler."""
    told = conninfo_to_dict(url)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = " ".join(f"{name}={told[name]}" for name in ("host", "port", "user", "password") if told.get(name))
    pooled = f"postgresql://anybody@127.0.0.1:{port}/{told['dbname']}"
    assert PROGRAM is not None
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        path = Path(folder) / "pgbouncer.ini"
        path.write_text(SETTINGS.format(server=server, port=port, mode=mode, sessions=sessions))
        path.parent.chmod(0o755)
        with subprocess.Popen([PROGRAM, *account(str(told["host"])), str(path)], stderr=log) as program:
            try:
                await_that(lambda: answers(pooled) or program.poll() is not None, "pgbouncer answers")
                assert program.poll() is None, (Path(folder) / "log").read_text()
                yield pooled
            finally:
                program.terminate()


def account(host: str) -> list[str]:
    """It refuses to run as root: as the user who may enter the directory of the server's socket."""
    if os.geteuid() != 0:
        return []
    return ["--user", pwd.getpwuid(Path(host).stat().st_uid).pw_name if host.startswith("/") else "nobody"]


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False
