"""Wrong set-ups of the event engine, found before they lose an edit."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  Django's own name
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from events.queue.lease import PROMISE_SECONDS
from events.triggers.definitions import STAMP, TRIGGERS
from events.triggers.sql import (
    ALWAYS,
    CUSTOMERS,
    ORIGIN,
    RECORDS,
    RELEASES,
    REPLICA,
    SAFE_PATH,
    SCHEMA,
    Trigger,
    is_ours,
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

# What the triggers write with the rights of the customers' owner.
WRITTEN = ["customers_stalemark", "customers_unscoredversion"]
# Tables that their owner may not write, or that row security guards from it or from a worker.
CLOSED = """
SELECT relation.relname, relation.relrowsecurity OR relation.relforcerowsecurity
FROM pg_class AS relation, pg_class AS customers
WHERE relation.oid = ANY (%s::regclass[]) AND customers.oid = %s::regclass
    AND (relation.relrowsecurity OR relation.relforcerowsecurity
        OR NOT has_table_privilege(customers.relowner, relation.oid, 'INSERT'))
ORDER BY relname
"""


@register(Tags.database)
def triggers_are_as_declared(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Compare the installed triggers with those declared: presence, body, condition, and whether they fire."""
    return [message for alias in databases or () if migrated(alias) for message in differences(alias)]


# Of this kind PostgreSQL fires by name, as bytes.
BEHIND_OURS = """
SELECT tgname FROM pg_trigger
WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 19 = 19 AND tgname > %s
ORDER BY tgname
"""


@register(Tags.database)
def the_stamp_is_last(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """What another trigger changes behind the stamp is noticed, but by one more UPDATE, with the owner's rights."""
    found: list[CheckMessage] = []
    for alias in filter(migrated, databases or ()):
        with connections[alias].cursor() as cursor:
            cursor.execute(BEHIND_OURS, [CUSTOMERS, STAMP.name])
            found += [
                Warning(
                    f"Trigger {name} on {CUSTOMERS} fires behind {STAMP.name}: rows that it changes are written twice.",
                    hint=f"Give it a name that sorts before {STAMP.name}.",
                    id="events.W002",
                )
                for (name,) in cursor.fetchall()
            ]
    return found


@register()
def broker_listens(**kwargs: Any) -> list[CheckMessage]:
    """django-q2's own brokers work, but hear nothing of edits made outside Django."""
    if settings.Q_CLUSTER.get("broker_class") == "events.broker.ListenBroker":
        return []
    return [
        Warning(
            "The broker is not events.broker.ListenBroker: edits made in plain SQL wait for the next sweep.",
            hint="Remove VIGILPAY_BROKER from the environment, unless a minute is soon enough.",
            id="events.W001",
        )
    ]


@register()
def drains_fit_between_a_promise_and_a_stall(**kwargs: Any) -> list[CheckMessage]:
    """Each of the three must be longer than the one before it, or the worker never rests, or is killed at work."""
    if PROMISE_SECONDS < settings.DRAIN_SECONDS < settings.STALL_SECONDS:
        return []
    return [
        Error(
            f"VIGILPAY_DRAIN_SECONDS is {settings.DRAIN_SECONDS:g}: drains never end unless it is more than "
            f"{PROMISE_SECONDS:g}, and are killed unless it is less than VIGILPAY_STALL_SECONDS.",
            hint="A stall of twice the drain is a good choice: a last batch may begin when the time is nearly up.",
            id="events.E002",
        )
    ]


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
        cursor.execute(CLOSED, [WRITTEN, CUSTOMERS])
        closed = cursor.fetchall()
    faults = [
        *(
            f"Trigger {it.name} on {it.table} {fault}"
            for it in TRIGGERS
            if (fault := fault_of(it, triggers.get(it.name)))
        ),
        *(
            f"Trigger {name} is none of those declared in events/triggers/definitions.py"
            for name in triggers
            if is_ours(name) and name not in {it.name for it in TRIGGERS}
        ),
    ]
    faults += [f"Table {table} {'has row security' if guarded else IS_NOT_WRITABLE}" for table, guarded in closed]
    return [
        Error(
            f"{fault}.",
            hint="Edits may fail, or leave no trace. Install what is declared with: manage.py install_triggers",
            id="events.E001",
        )
        for fault in faults
    ]


IS_NOT_WRITABLE = f"can't be written by the owner of {CUSTOMERS}, whose rights the triggers have"
FIRES = {ORIGIN: "in ordinary sessions only", REPLICA: "where changes are replicated only", ALWAYS: "in all sessions"}


def rights_of(declared: Trigger) -> list[Any]:
    """Of the function: whether it runs with its owner's rights, and with which settings."""
    return [True, [SAFE_PATH]] if declared.with_rights_of_owner else [False, None]


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
    # Its comment outlives every ALTER and REPLACE, so the definition is compared as well.
    if (
        body != trigger.body.replace(SCHEMA, schema)
        or fingerprint != trigger.fingerprint()
        or [by_owner, settings_] != rights_of(trigger)
        or in_one_spelling(definition, schema) != in_one_spelling(f"CREATE TRIGGER {trigger.definition()}", SCHEMA)
    ):
        return "is not the one declared in events/triggers/definitions.py"
    return (
        "" if fires == trigger.fires else f"fires {FIRES[fires]}, which events/triggers/definitions.py does not declare"
    )


def in_one_spelling(definition: str, schema: str) -> str:
    """PostgreSQL gives a definition back in its own spacing and case, writes the casts out, and the schema at times."""
    return " ".join(definition.replace("::text", "").replace(f"{schema}.", "").lower().split())
