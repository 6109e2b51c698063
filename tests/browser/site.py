"""The whole product as processes of its own: a database, the web server, a worker, and people who may log in."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import psycopg

from tests.databases import migrated_database
from tests.others import await_that
from tests.workers import running_worker
from vigilpay.env import ROOT
from vigilpay.processes.children import Child

PASSWORD = "only in a browser's test"
PEOPLE = ("root", "viewer", "agent", "analyst", "operator")

MAKE_PEOPLE = f"""
from django.contrib.auth.models import Group, User
for name in {PEOPLE!r}:
    who = User.objects.create_user(name, password={PASSWORD!r}, is_staff=True, is_superuser=name == "root")
    who.groups.set(Group.objects.filter(name=name))
"""
# As the workers do once a day.
TAKE_SNAPSHOT = "from customers.portfolio.snapshots import take_snapshot; take_snapshot(replace=True)"


@dataclass(frozen=True)
class Site:
    """Where it is served, its database, and the sessions of those who have logged in."""

    base: str
    url: str
    sessions: dict[str, Any] = field(default_factory=dict)

    def manage(self, *command: str) -> None:
        """Run a ``manage.py`` command on it."""
        manage(self.url, *command)

    def query(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """As a user of psql would."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(statement, values)  # type: ignore[arg-type]
            return found.fetchall() if found.description else []

    def wait_until_scored(self) -> None:
        waiting = "SELECT 1 FROM customers_customer WHERE stale_since IS NOT NULL LIMIT 1"
        await_that(lambda: not self.query(waiting), "the worker has scored all customers", seconds=60)


@contextmanager
def running_site(database: str, logs: Path, *, customers: int) -> Iterator[Site]:
    """Made-up customers, all scored, served for as long as the block lasts."""
    with migrated_database(database) as url:
        manage(url, "seed_demo", "--customers", str(customers))
        manage(url, "shell", "--command", MAKE_PEOPLE)
        with served(url, logs / "web.log") as base, running_worker(url, logs / "worker.log"):
            site = Site(base, url)
            site.wait_until_scored()
            site.manage("shell", "--command", TAKE_SNAPSHOT)
            yield site


@contextmanager
def served(url: str, log: Path) -> Iterator[str]:
    """The address of a web server on that database."""
    base = f"http://127.0.0.1:{free_port()}"
    command = ("runserver", "--noreload", "--skip-checks", base.removeprefix("http://"))
    with log.open("wb") as output, Child("web", *command, env=environment(url), stderr=output) as child:
        await_that(lambda: answers(base) or child.has_ended(), "the web server answers", seconds=60)
        assert not child.has_ended(), log.read_text()
        yield base


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def answers(base: str) -> bool:
    try:
        with urlopen(f"{base}/admin/login/", timeout=5):
            return True
    except (URLError, OSError):
        return False


def manage(url: str, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=environment(url), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def environment(url: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": url}
