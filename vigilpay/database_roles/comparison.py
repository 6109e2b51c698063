"""What the roles of a database really may do, as PostgreSQL itself says it, beside what they should."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import connection

from customers.sql import fetch_row, fetch_rows
from events.triggers.sql import CUSTOMERS, RECORDS
from vigilpay.database_roles.names import Names
from vigilpay.database_roles.rights import (
    ALL_COLUMNS,
    APPLICATION,
    LEASE_HOLDERS,
    ROLES,
    SEQUENCE,
    TOLERATED_OF_APPLICATION,
    Right,
    expected,
    our_tables,
)

PUBLIC = "public"  # every role, to PostgreSQL's functions that ask for privileges
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
OF_COLUMNS = ("SELECT", "INSERT", "UPDATE", "REFERENCES")

GIVEN = f"""
SELECT role, name, privilege, '{ALL_COLUMNS}'
FROM unnest(%(roles)s::text[]) AS role, unnest(%(tables)s::text[]) AS name, unnest(%(privileges)s::text[]) AS privilege
WHERE has_table_privilege(role, to_regclass(name)::oid, privilege)
UNION ALL
SELECT role, name, privilege, attname
FROM unnest(%(roles)s::text[]) AS role, unnest(%(tables)s::text[]) AS name,
    unnest(%(of_columns)s::text[]) AS privilege, pg_attribute
WHERE attrelid = to_regclass(name) AND attnum > 0 AND NOT attisdropped
    AND NOT has_table_privilege(role, attrelid, privilege) AND has_column_privilege(role, attrelid, attnum, privilege)
"""
# A member may take another role's place by SET ROLE, even if it inherits nothing.
BECOMES_SCORER = """EXISTS (
    SELECT FROM pg_roles AS hat WHERE hat.oid <> role.oid AND pg_has_role(role.oid, hat.oid, 'MEMBER')
        AND has_table_privilege(hat.oid, records.oid, 'INSERT'))"""
KNOWN = f"""
SELECT rolname, rolsuper, rolname <> pg_get_userbyid(relowner) AND pg_has_role(role.oid, relowner, 'MEMBER'),
    rolname = pg_get_userbyid(relowner), rolcreaterole, {BECOMES_SCORER},
    has_schema_privilege(role.oid, relnamespace, 'USAGE'),
    has_sequence_privilege(role.oid, to_regclass(%s)::oid, 'UPDATE')
FROM pg_roles AS role, pg_class AS records WHERE records.oid = to_regclass(%s) AND rolname = ANY (%s)
"""
# Who else can be the scorer.
STRANGERS = f"""
SELECT rolname FROM pg_roles AS role, pg_class AS records
WHERE records.oid = to_regclass(%s) AND rolcanlogin AND NOT rolsuper AND rolname <> ALL (%s)
    AND NOT pg_has_role(role.oid, relowner, 'MEMBER')
    AND (has_table_privilege(role.oid, records.oid, 'INSERT') OR {BECOMES_SCORER})
ORDER BY rolname
"""


@dataclass(frozen=True)
class Known:
    """What PostgreSQL says of a role beside its rights on tables."""

    is_superuser: bool
    acts_for_owner: bool
    is_owner: bool
    makes_roles: bool
    becomes_scorer: bool
    sees_schema: bool
    shows_lease: bool

    def fault(self) -> str:
        """Why its rights need no look; empty where they do."""
        if self.is_superuser:
            return "is a superuser: nothing holds it back"
        if self.is_owner:
            return "owns the tables: nothing holds it back"
        return "is a member of the role that owns the tables, and may do the same" if self.acts_for_owner else ""


def faults(names: Names) -> list[str]:
    """What is lacking and what is too much, a line each; empty where all is as it should be."""
    logins = {role: names.of(role) for role in ROLES}
    found = known(logins.values())
    lines = [line for role, name in logins.items() for line in about_role(role, name, found.get(name))]
    held = {role for role, name in logins.items() if name in found and not found[name].fault()}
    lines += about_rights(names, held)
    others = list(logins.values()) + ([names.owner] if names.owner else [])
    strangers = fetch_rows(STRANGERS, [RECORDS, others])
    return lines + [f"{name}: too much, may store scores and is none of these roles" for (name,) in strangers]


def known(logins: Iterable[str]) -> dict[str, Known]:
    return {name: Known(*facts) for name, *facts in fetch_rows(KNOWN, [SEQUENCE, RECORDS, list(logins)])}


def about_role(role: str, name: str, found: Known | None) -> Iterator[str]:
    if found is None:
        yield f"{name}: there is no such role"
    elif fault := found.fault():
        yield f"{name}: {fault}"
    else:
        if found.makes_roles:
            yield f"{name}: too much, may give itself any role (CREATEROLE)"
        if found.becomes_scorer:
            yield f"{name}: too much, may take the place of a role that stores scores"
        if not found.sees_schema:
            yield f"{name}: lacks USAGE on the schema of the tables"
        if found.shows_lease != (role in LEASE_HOLDERS):
            yield f"{name}: {'too much,' if found.shows_lease else 'lacks'} UPDATE on {SEQUENCE}"


def about_rights(names: Names, held: set[str]) -> Iterator[str]:
    """Of these roles, and of all roles together."""
    logins = {names.of(role): role for role in held} | {PUBLIC: PUBLIC}
    values = {"roles": list(logins), "tables": our_tables(), "privileges": PRIVILEGES, "of_columns": OF_COLUMNS}
    values = {name: list(value) for name, value in values.items()}
    given = {Right(logins[role], *what) for role, *what in fetch_rows(GIVEN, values)}
    wanted = {right for right in expected() if right.role in held}
    yield from described(names, "lacks", (right for right in wanted - given if not covered(right, given)))
    yield from described(names, "too much,", given - wanted - {Right(APPLICATION, *TOLERATED_OF_APPLICATION)})


def covered(right: Right, given: set[Right]) -> bool:
    """A right on the table is one on each of its columns."""
    return Right(right.role, right.table, right.privilege) in given


def described(names: Names, what: str, rights: Iterable[Right]) -> Iterator[str]:
    for right in sorted(rights):
        name = "every role" if right.role == PUBLIC else names.of(right.role)
        column = "" if right.column == ALL_COLUMNS else f" ({right.column})"
        yield f"{name}: {what} {right.privilege}{column} on {right.table}"


def place() -> tuple[str, str]:
    """The database and the schema of this connection."""
    database, schema = fetch_row("SELECT current_database(), current_schema()")
    return database, schema


def is_migrated() -> bool:
    return CUSTOMERS in connection.introspection.table_names()
