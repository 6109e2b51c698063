"""A database and a worker of a benchmark's own, on the configured PostgreSQL; both are gone afterwards."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from vigilpay import env, localdb

ROOT = Path(__file__).resolve().parent.parent.parent
NAME = "vigilpay_bench"
STOP_SECONDS = 15


@contextmanager
def scratch_database(name: str = NAME) -> Iterator[str]:
    """Create an empty database and yield its address; the settings of this process and its children name it."""
    server = server_settings()
    recreate(server, name)
    url = address({**server, "NAME": name})
    os.environ["DATABASE_URL"] = url
    try:
        yield url
    finally:
        drop(server, name)


def server_settings() -> dict[str, str]:
    localdb.ensure_started()
    url = env.text("DATABASE_URL", default="")
    return {key: str(value) for key, value in (env.database_url(url) if url else localdb.connection_settings()).items()}


def address(settings: dict[str, str]) -> str:
    """The settings as a postgresql:// address, socket directories included."""
    user = quote(settings.get("USER", ""), safe="")
    password = quote(settings.get("PASSWORD", ""), safe="")
    host = quote(settings.get("HOST", ""), safe="/")
    port = settings.get("PORT", "")
    return f"postgresql://{user}:{password}@/{settings['NAME']}?host={host}" + (f"&port={port}" if port else "")


def maintenance(server: dict[str, str]) -> psycopg.Connection:
    return psycopg.connect(address({**server, "NAME": "postgres"}), autocommit=True)


def recreate(server: dict[str, str], name: str) -> None:
    drop(server, name)
    with maintenance(server) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def drop(server: dict[str, str], name: str) -> None:
    with maintenance(server) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def cluster(**environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A real ``qcluster`` in a session of its own; the settings come from this process's environment and ours."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "qcluster"],
        cwd=ROOT,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the cluster's main process alone, for a signal to the whole group makes django-q2 hang; then insist."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def started_django(customers: int) -> Iterator[None]:
    """Django on the scratch database, migrated, with demo customers nobody has scored yet."""
    import django
    from django.core.management import call_command
    from django.db import connections

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vigilpay.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("seed_demo", customers=customers, verbosity=0)
    try:
        yield
    finally:
        connections.close_all()
