"""A connection beside Django's own, for code that must not wait for it or be closed with it."""

from functools import partial
from typing import Any, cast

import psycopg
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper


class OwnConnection:
    """Connects when first used, never before a fork. Errors of the database are the caller's: close, then use again."""

    def __init__(self, alias: str = "default") -> None:
        self._alias = alias
        self._wrapper: DatabaseWrapper | None = None

    def set_up(self, wrapper: DatabaseWrapper) -> None:
        """What a new connection is set up with."""

    def connected(self) -> DatabaseWrapper:
        """The connection, made now if there is none."""
        if self._wrapper is None:
            wrapper = cast(DatabaseWrapper, connections.create_connection(self._alias))
            self.set_up(wrapper)
            self._wrapper = wrapper
        return self._wrapper

    def close(self) -> None:
        if self._wrapper is not None:
            self._wrapper.close()
            self._wrapper = None


def with_limit(connection: "psycopg.Connection[Any]", seconds: float) -> "psycopg.Connection[Any]":
    """Have every wait for this server's answer end with an ``OperationalError``; the connection is of no use then.

    On our side, and on a unix socket, too: a server that stands still knows no limit of its own.
    """
    connection.wait = partial(connection.wait, timeout=seconds)  # type: ignore[method-assign]
    return connection
