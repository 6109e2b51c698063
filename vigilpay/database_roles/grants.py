"""The SQL that makes the roles and gives each its rights. Running it again changes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from events.triggers.definitions import TRIGGERS
from vigilpay.database_roles.names import Names, literal, quoted
from vigilpay.database_roles.rights import (
    ALL_COLUMNS,
    LEASE_HOLDERS,
    ROLES,
    SEQUENCE,
    Right,
    expected,
    our_tables,
)

HEADING = """\
-- Rights of VigilPay's roles in this database: who runs it must own the tables, or be a superuser.
-- Run it again after every upgrade. It sets no password; in psql: \\password NAME
BEGIN;
SET LOCAL lock_timeout = '5s';
"""
CREATE = (
    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {name}) "
    "THEN CREATE ROLE {role} LOGIN; END IF; END $$;"
)


def statements(names: Names, *, database: str, schema: str) -> Iterator[str]:
    """The lines of a script for psql."""
    yield HEADING
    yield from roles(names)
    if names.owner:
        yield from ownership(quoted(names.owner), quoted(schema))
    everyone = ", ".join(quoted(names.of(role)) for role in ROLES)
    connecting = everyone + (f", {quoted(names.owner)}" if names.owner else "")
    yield f"GRANT CONNECT ON DATABASE {quoted(database)} TO {connecting};"
    # Imports are staged in a temporary table.
    yield f"GRANT TEMPORARY ON DATABASE {quoted(database)} TO {quoted(names.worker)};"
    yield f"REVOKE CREATE ON SCHEMA {quoted(schema)} FROM PUBLIC, {everyone};"
    yield f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {everyone};"
    yield from table_rights(names, quoted(schema), everyone)
    yield from sequence_rights(names, f"{quoted(schema)}.{SEQUENCE}", everyone)
    for function in functions(quoted(schema)):
        yield f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC, {everyone};"
    yield "COMMIT;"


def roles(names: Names) -> Iterator[str]:
    for name in filter(None, (names.owner, *map(names.of, ROLES))):
        yield CREATE.format(name=literal(name), role=quoted(name))


def ownership(owner: str, schema: str) -> Iterator[str]:
    """Sequences go with their tables."""
    yield f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner};"
    for table in our_tables():
        yield f"ALTER TABLE {schema}.{quoted(table)} OWNER TO {owner};"
    for function in functions(schema):
        yield f"ALTER FUNCTION {function} OWNER TO {owner};"


def table_rights(names: Names, schema: str, everyone: str) -> Iterator[str]:
    """Of each table first what default privileges, or an older version, may have given; columns' rights go with it."""
    by_table: dict[str, list[Right]] = defaultdict(list)
    for right in sorted(expected()):
        by_table[right.table].append(right)
    for table in our_tables():
        place = f"{schema}.{quoted(table)}"
        yield f"REVOKE ALL ON TABLE {place} FROM PUBLIC, {everyone};"
        for role in ROLES:
            if privileges := listed(right for right in by_table[table] if right.role == role):
                yield f"GRANT {privileges} ON TABLE {place} TO {quoted(names.of(role))};"


def listed(rights: Iterable[Right]) -> str:
    """``SELECT, INSERT ("surname", "age")``"""
    columns: dict[str, list[str]] = defaultdict(list)
    for right in rights:
        columns[right.privilege].append(right.column)
    return ", ".join(
        name if ALL_COLUMNS in those else f"{name} ({', '.join(map(quoted, those))})" for name, those in columns.items()
    )


def sequence_rights(names: Names, sequence: str, everyone: str) -> Iterator[str]:
    holders = ", ".join(quoted(names.of(role)) for role in LEASE_HOLDERS)
    yield f"REVOKE ALL ON SEQUENCE {sequence} FROM PUBLIC, {everyone};"
    yield f"GRANT SELECT, UPDATE ON SEQUENCE {sequence} TO {holders};"


def functions(schema: str) -> list[str]:
    return [f"{schema}.{trigger.name}()" for trigger in TRIGGERS]
