"""Databases as processes of their own are told of them, and empty ones that are gone afterwards."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote

import psycopg
from psycopg import sql

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


@contextmanager
def scratch_database(name: str) -> Iterator[str]:
    """Create an empty database on the configured server, for this process alone, and yield its address."""
    localdb.ensure_started()
    name = f"{name}{os.environ.get('PYTEST_XDIST_WORKER', '')}"  # tests run in several processes at once
    url = env.text("DATABASE_URL", default="")
    server = env.database_url(url) if url else localdb.local_server().connection_settings()
    with psycopg.connect(address(server, NAME="postgres"), autocommit=True) as maintenance:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        maintenance.execute(drop)
        maintenance.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield address(server, NAME=name)
        finally:
            maintenance.execute(drop)
