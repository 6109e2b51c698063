"""Databases as processes of their own are told of them, and empty ones that are gone afterwards."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from vigilpay import env, localdb


def address(settings: Mapping[str, object], **changed: str) -> str:
    """Settings as Django has them as a ``DATABASE_URL``, socket directories included."""
    words = {name: quote(str(value), safe="") for name, value in {**settings, **changed}.items()}
    places = {"host": words.get("HOST"), "port": words.get("PORT")}
    query = "&".join(f"{name}={value}" for name, value in places.items() if value)
    return f"postgresql://{words.get('USER', '')}:{words.get('PASSWORD', '')}@/{words['NAME']}?{query}"


def url_of_test_database() -> str:
    from django.db import connection

    return address(connection.settings_dict)


RUN = "VIGILPAY_TEST_RUN"  # number of the process that began this run, for all that it starts


def begin_run() -> None:
    os.environ.setdefault(RUN, str(os.getpid()))


@contextmanager
def scratch_database(name: str, *, template: str = "template1") -> Iterator[str]:
    """Create a database on the configured server, for this process alone, and yield its address: empty, or a copy."""
    name = f"{name}{os.environ.get('PYTEST_XDIST_WORKER', '')}"  # tests run in several processes at once
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    with maintenance() as connection:
        drop(connection, name)
        connection.execute(create)
        try:
            yield address(server(), NAME=name)
        finally:
            drop(connection, name)


def migrated_database(name: str) -> AbstractContextManager[str]:
    """The same as ``migrate`` leaves an empty one: copied, for migrations take seconds each time."""
    return scratch_database(name, template=template_of_this_run())


@cache
def template_of_this_run() -> str:
    """The name of a database as ``migrate`` leaves an empty one; the first of a run's processes makes it for all."""
    name = name_of_template()
    with maintenance() as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            with scratch_database(f"{name}_draft") as url:
                told = {**os.environ, "DATABASE_URL": url}
                subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=env.ROOT, env=told, check=True)
                draft, final = (sql.Identifier(it) for it in (name_of(url), name))
                connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(draft, final))
    return name


def name_of(url: str) -> str:
    return str(conninfo_to_dict(url)["dbname"])


def end_run() -> None:
    """By the process that began it alone; those that it has started may still be at work."""
    if os.environ[RUN] == str(os.getpid()):
        with maintenance() as connection:
            drop(connection, name_of_template())


def name_of_template() -> str:
    return f"vigilpay_test_migrated_{os.environ[RUN]}"


def drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def maintenance() -> psycopg.Connection:
    """A connection that creates and drops databases."""
    return psycopg.connect(address(server(), NAME="postgres"), autocommit=True)


def server() -> Mapping[str, object]:
    localdb.ensure_started()
    url = env.text("DATABASE_URL", default="")
    return env.database_url(url) if url else localdb.local_server().connection_settings()
