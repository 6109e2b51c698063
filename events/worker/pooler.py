"""Tells a pooler in transaction mode from PostgreSQL itself: the worker can't work through one.

It lends each transaction some session of the server's: LISTEN receives nothing there, session locks and settings are
left with other clients. Nothing is set here, for that reason.
"""

from contextlib import closing
from typing import Any, cast

import psycopg
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import Connection

from events.worker.own_connection import with_limit

PROCESS = "SELECT pg_backend_pid()"
# Enough to meet with a session that others use as well.
ATTEMPTS = 5
# A pooler that has no session left for us lets us wait.
PATIENCE_SECONDS = 5.0


class PoolerError(Exception):
    """The database's address is that of a pooler in transaction mode. The message says what to do."""


def refuse_pooler(alias: str = "default") -> None:
    """Raise ``PoolerError`` if sessions there are shared; errors of the database are the caller's."""
    if shares_sessions(alias):
        raise PoolerError(
            "DATABASE_URL leads to a pooler in transaction mode (such as pgbouncer), where LISTEN hears nothing and "
            "sessions are shared: the worker, imports and migrations need PostgreSQL's own address. Set "
            "VIGILPAY_DIRECT_DATABASE_URL to it; web pages may go on using the pooler."
        )


def shares_sessions(alias: str = "default") -> bool:
    """Whether two connections were seen to use one session of the server, or one connection two."""
    with closing(open_connection(alias)) as one:
        session = process_of(one)
        if session == one.info.backend_pid:
            return False  # the process that answers is the one that let us in: no pooler stands between
        for _ in range(ATTEMPTS):
            with closing(open_connection(alias)) as other:
                other.autocommit = False  # a transaction that stays open keeps its session
                try:
                    if process_of(other) == session or process_of(one) != session:
                        return True
                except psycopg.OperationalError as error:
                    # Some lend a session for one statement only. Else each client has its own, and there is none left.
                    return "transaction blocks not allowed" in str(error)
        return False


def open_connection(alias: str) -> "Connection[Any]":
    wrapper = cast(DatabaseWrapper, connections.create_connection(alias))
    connection = with_limit(wrapper.get_new_connection(wrapper.get_connection_params()), PATIENCE_SECONDS)
    connection.autocommit = True
    return connection


def process_of(connection: "Connection[Any]") -> int:
    """The server's process that answers this connection now."""
    [(process,)] = connection.execute(PROCESS).fetchall()
    return int(process)
