"""Roles of the database that are none of VigilPay's: one that may do nothing, and a bank's application."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from psycopg import sql

from tests.others import outsider

PASSWORD = "of a test"


def name_of(role: str) -> str:
    """Roles belong to the whole server, and tests run in several processes at once."""
    return f"{role}{os.environ.get('PYTEST_XDIST_WORKER', '')}"


@contextmanager
def role(name: str, *grants: str) -> Iterator[str]:
    """A role that may log in, with these rights: ``GRANT …`` without its end. Gone afterwards, with all it has."""
    name = name_of(name)
    with outsider() as owner:
        drop(owner, name)
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), PASSWORD))
        for grant in grants:
            owner.execute(sql.SQL(grant + " TO {}").format(sql.Identifier(name)))
        try:
            yield name
        finally:
            drop(owner, name)


def drop(owner, name):
    if owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None:
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [name])
        owner.execute(sql.SQL("DROP OWNED BY {0} CASCADE").format(sql.Identifier(name)))
        owner.execute(sql.SQL("DROP ROLE {0}").format(sql.Identifier(name)))


def session(name: str, *, autocommit: bool = True) -> "closing[psycopg.Connection]":
    """A connection as that role has it."""
    with outsider() as owner:
        address = {
            key: value for key, value in owner.info.get_parameters().items() if key in ("host", "port", "dbname")
        }
    return closing(psycopg.connect(**address, user=name, password=PASSWORD, autocommit=autocommit))
