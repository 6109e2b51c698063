"""Our own private PostgreSQL: what a checkout uses while DATABASE_URL is not set.

``python -m vigilpay.localdb start|stop|status``. Why it is made like this: docs/decisions/0003-private-postgresql.md
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vigilpay import env
from vigilpay.private_postgresql.server import LocalServer
from vigilpay.processes import exits, interrupts


def local_server() -> LocalServer:
    """This checkout's own."""
    return LocalServer(env.ROOT, env.text("VIGILPAY_PG_BIN", ""))


def ensure_started() -> None:
    """Start the private server if it is the one in use: with DATABASE_URL set there is nothing to do."""
    if not env.text("DATABASE_URL", ""):
        local_server().ensure_started()


@contextmanager
def started_for_now() -> Iterator[None]:
    """The same for the time of the block: a server that had to be started for it stops with the last of its users."""
    if env.text("DATABASE_URL", ""):
        yield
        return
    server = local_server()
    try:
        server.ensure_started(for_now=True)
        yield
    finally:
        with interrupts.held():
            server.leave()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vigilpay.localdb", description="The private PostgreSQL.")
    parser.add_argument("action", choices=["start", "stop", "status"])
    action = parser.parse_args().action
    server = local_server()
    if action == "start":
        server.ensure_started()
        server.users.mark(for_now=False)
    elif action == "stop":
        server.stop()
    sys.stdout.write(f"{server.status()}\n")


if __name__ == "__main__":
    with exits.in_one_line():
        main()
