"""What is installed in a database, compared with what ``definitions.py`` declares."""

import re
from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from events.triggers.definitions import TRIGGERS
from events.triggers.sql import (
    ALWAYS,
    CUSTOMERS,
    ORIGIN,
    OURS,
    RECORDS,
    RELEASES,
    REPLICA,
    SAFE_PATH,
    SCHEMA,
    TELLING,
    WRITTEN,
    Trigger,
)

INSTALLED = """
SELECT trigger.tgname, function.prosrc, trigger.tgenabled::text, obj_description(trigger.oid, 'pg_trigger'),
    pg_get_triggerdef(trigger.oid, true), quote_ident(nspname), function.prosecdef, function.proconfig,
    proowner = (SELECT relowner FROM pg_class WHERE oid = %s::regclass),
    EXISTS (SELECT FROM aclexplode(COALESCE(proacl, acldefault('f', proowner))) WHERE grantee = 0)
FROM pg_trigger AS trigger
JOIN pg_proc AS function ON function.oid = trigger.tgfoid
JOIN pg_class AS relation ON relation.oid = trigger.tgrelid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE trigger.tgrelid = ANY (%s::regclass[]) AND NOT trigger.tgisinternal
"""

# Tables that the customers' owner may not write or read as the triggers do, or that row security guards from it or from
# a worker. The right to write the history of scores is what makes a role the scorer, and the triggers mend a row by it.
CLOSED = """
SELECT relname, is_guarded, privilege FROM (
    SELECT relation.relname, privilege, has_table_privilege(customers.relowner, relation.oid, privilege) AS is_writable,
        relation.oid <> %s::regclass AND (relation.relrowsecurity OR relation.relforcerowsecurity) AS is_guarded
    FROM unnest(%s::regclass[], %s::text[]) AS needed (id, privilege)
    JOIN pg_class AS relation ON relation.oid = needed.id, pg_class AS customers
    WHERE customers.oid = %s::regclass
) AS written
WHERE is_guarded OR NOT is_writable ORDER BY relname
"""
# Rights that mean something to the triggers, where every role has them.
OF_ALL = """
SELECT name, privilege FROM unnest(%s::text[], %s::text[]) AS telling (name, privilege)
WHERE has_table_privilege('public', name::regclass::oid, privilege)
"""


def migrated(alias: str) -> bool:
    """Whether this database is past our migrations; before that, missing triggers are no news."""
    executor = MigrationExecutor(connections[alias])
    return not executor.migration_plan([key for key in executor.loader.graph.leaf_nodes() if key[0] == "events"])


def is_ahead(alias: str) -> bool:
    """Whether newer code than this has migrated this database: its triggers are not ours to judge."""
    loader = MigrationExecutor(connections[alias]).loader
    return any(app == "events" and (app, name) not in loader.graph.nodes for app, name in loader.applied_migrations)


def differences(alias: str) -> list[CheckMessage]:
    """One error for each trigger that is not what was declared, and for each table that it could not write."""
    with connections[alias].cursor() as cursor:
        cursor.execute(INSTALLED, [CUSTOMERS, [CUSTOMERS, RELEASES, RECORDS]])
        triggers = {name: found for name, *found in cursor.fetchall()}
        cursor.execute(CLOSED, [RECORDS, [*WRITTEN, RECORDS], [*WRITTEN.values(), "INSERT"], CUSTOMERS])
        closed = cursor.fetchall()
        cursor.execute(OF_ALL, list(map(list, zip(*TELLING, strict=True))))
        of_all = cursor.fetchall()
    faults = [
        *(
            f"Trigger {it.name} on {it.table} {fault}"
            for it in TRIGGERS
            if (fault := fault_of(it, triggers.get(it.name)))
        ),
        *(
            f"Trigger {name} is none of those declared in events/triggers/definitions.py"
            for name in triggers
            if re.match(OURS, name) and name not in {it.name for it in TRIGGERS}
        ),
    ]
    faults += [
        f"Every role has {privilege} on {table}, which no role but VigilPay's may have" for table, privilege in of_all
    ]
    faults += [
        f"Table {table} {'has row security' if guarded else refusal_of(privilege)}"
        for table, guarded, privilege in closed
    ]
    return [
        Error(
            f"{fault}.",
            hint="Edits may fail, or leave no trace. Install what is declared with: manage.py install_triggers",
            id="events.E001",
        )
        for fault in faults
    ]


FIRES = {ORIGIN: "in ordinary sessions only", REPLICA: "where changes are replicated only", ALWAYS: "in all sessions"}


def refusal_of(privilege: str) -> str:
    done = "read" if privilege == "SELECT" else "written"
    return f"cannot be {done} by the owner of {CUSTOMERS}, whose rights the triggers have"


def fault_of(trigger: Trigger, found: Sequence[Any] | None) -> str:
    """What is wrong with an installed trigger, in words; empty when nothing is."""
    if found is None:
        return "is missing"
    body, fires, fingerprint, definition, schema, by_owner, settings_, is_owners, is_public = found
    if fires == "D":
        return "is disabled"
    if trigger.with_rights_of_owner and not is_owners:
        return f"does not belong to the owner of {CUSTOMERS}"
    if trigger.with_rights_of_owner and is_public:
        return "has a function that every role may execute"
    # Of the function: whether it runs with its owner's rights, and with which settings.
    rights = [True, [SAFE_PATH]] if trigger.with_rights_of_owner else [False, None]
    # Its comment outlives every ALTER and REPLACE, so the definition is compared as well.
    if (
        body != trigger.body.replace(SCHEMA, schema)
        or fingerprint != trigger.fingerprint()
        or [by_owner, settings_] != rights
        or in_one_spelling(definition, schema) != in_one_spelling(f"CREATE TRIGGER {trigger.definition()}", SCHEMA)
    ):
        return "is not the one declared in events/triggers/definitions.py"
    return (
        "" if fires == trigger.fires else f"fires {FIRES[fires]}, which events/triggers/definitions.py does not declare"
    )


def in_one_spelling(definition: str, schema: str) -> str:
    """PostgreSQL gives a definition back in its own spacing and case, writes the casts out, and the schema at times."""
    return " ".join(definition.replace("::text", "").replace("::oid", "").replace(f"{schema}.", "").lower().split())
