"""Wrong set-ups of the event engine, found before they lose an edit."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  Django's own name
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from events.triggers import (
    CUSTOMERS,
    FUNCTIONS,
    OURS,
    RECORDS,
    RELEASES,
    SAFE_PATH,
    SCHEMA,
    TRIGGERS,
    Function,
    Trigger,
)
from events.watch import PROMISE_SECONDS

INSTALLED = """
SELECT trigger.tgname, function.prosrc, trigger.tgenabled IN ('O', 'A'), obj_description(trigger.oid, 'pg_trigger'),
    pg_get_triggerdef(trigger.oid, true), quote_ident(nspname),
    function.prosecdef, function.proconfig
FROM pg_trigger AS trigger
JOIN pg_proc AS function ON function.oid = trigger.tgfoid
JOIN pg_class AS relation ON relation.oid = trigger.tgrelid
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE trigger.tgrelid = ANY (%s::regclass[]) AND NOT trigger.tgisinternal
"""
INSTALLED_FUNCTIONS = """
SELECT proname, prosrc, prosecdef, proconfig FROM pg_proc
WHERE proname = ANY(%s) AND pronamespace = current_schema()::regnamespace
"""


@register(Tags.database)
def triggers_are_as_declared(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Compare the installed triggers with ``events/triggers.py``: presence, body, condition, and whether they fire."""
    return [message for alias in databases or () if migrated(alias) for message in differences(alias)]


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
    """One error for each trigger, or function that triggers call, that is not what was declared."""
    with connections[alias].cursor() as cursor:
        cursor.execute(INSTALLED, [[CUSTOMERS, RELEASES, RECORDS]])
        triggers = {name: found for name, *found in cursor.fetchall()}
        cursor.execute(INSTALLED_FUNCTIONS, [[function.name for function in FUNCTIONS]])
        functions = {name: found for name, *found in cursor.fetchall()}
        cursor.execute("SELECT quote_ident(current_schema())")
        (schema,) = cursor.fetchone()
    faults = [
        *(
            f"Function {it.name} {fault}"
            for it in FUNCTIONS
            if (fault := fault_of_function(it, functions.get(it.name), schema))
        ),
        *(
            f"Trigger {it.name} on {it.table} {fault}"
            for it in TRIGGERS
            if (fault := fault_of(it, triggers.get(it.name)))
        ),
        *(
            f"Trigger {name} is none of those declared in events/triggers.py"
            for name in triggers
            if name.startswith(OURS) and name not in {it.name for it in TRIGGERS}
        ),
    ]
    return [
        Error(
            f"{fault}.",
            hint="Edits may leave no trace. Install the declared triggers with: manage.py install_triggers",
            id="events.E001",
        )
        for fault in faults
    ]


def fault_of_function(function: Function, found: Sequence[Any] | None, schema: str) -> str:
    """What is wrong with an installed function, in words; empty when nothing is."""
    if found is None:
        return "is missing"
    declared = [function.body.replace(SCHEMA, schema), *rights_of(function)]
    return "" if found == declared else "is not the one declared in events/triggers.py"


def rights_of(declared: Function | Trigger) -> list[Any]:
    """Of the function: whether it runs with its owner's rights, and with which settings."""
    return [True, [SAFE_PATH]] if declared.with_rights_of_owner else [False, None]


def fault_of(trigger: Trigger, found: Sequence[Any] | None) -> str:
    """What is wrong with an installed trigger, in words; empty when nothing is."""
    if found is None:
        return "is missing"
    body, enabled, fingerprint, definition, schema, *rights = found
    if not enabled:
        return "is disabled"
    # Its comment outlives every ALTER and REPLACE, so the definition is compared as well.
    if (
        body != trigger.body.replace(SCHEMA, schema)
        or fingerprint != trigger.fingerprint()
        or rights != rights_of(trigger)
        or in_one_spelling(definition, schema) != in_one_spelling(f"CREATE TRIGGER {trigger.definition()}", SCHEMA)
    ):
        return "is not the one declared in events/triggers.py"
    return ""


def in_one_spelling(definition: str, schema: str) -> str:
    """PostgreSQL gives a definition back in its own spacing and case, writes the casts out, and the schema at times."""
    return " ".join(definition.replace("::text", "").replace(f"{schema}.", "").lower().split())
