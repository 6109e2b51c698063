"""The roles that ``database_roles --sql`` makes, in the test database, and Django as one of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, connections

from tests.others import outsider
from tests.security.strangers import PASSWORD, drop, name_of
from vigilpay.database_roles import comparison, grants
from vigilpay.database_roles.names import Names
from vigilpay.database_roles.rights import ROLES


@contextmanager
def our_roles() -> Iterator[Names]:
    names = Names(*map(name_of, ("vp_web", "vp_worker", "vp_bank")))
    database, schema = comparison.place()
    try:
        with outsider() as owner:
            owner.execute("\n".join(grants.statements(names, database=database, schema=schema)))
            for role in ROLES:
                owner.execute(f"ALTER ROLE {names.of(role)} PASSWORD '{PASSWORD}'")
        yield names
    finally:
        with outsider() as owner:
            for role in ROLES:
                drop(owner, names.of(role))


@contextmanager
def django_as(name: str) -> Iterator[None]:
    """Whatever Django does in the block it does as this role."""
    was = {key: connection.settings_dict[key] for key in ("USER", "PASSWORD")}
    connection.close()
    connection.settings_dict.update(USER=name, PASSWORD=PASSWORD)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(was)


@contextmanager
def scores_as(name: str, settings) -> Iterator[None]:
    """As with ``VIGILPAY_SCORER_DATABASE_URL``: one more connection, to the same test database."""
    other = connections.create_connection("default")
    other.settings_dict = {**connection.settings_dict, "USER": name, "PASSWORD": PASSWORD}
    connections["scorer"], settings.SCORER_DATABASE = other, "scorer"
    try:
        yield
    finally:
        settings.SCORER_DATABASE = "default"
        del connections["scorer"]
        other.close()
