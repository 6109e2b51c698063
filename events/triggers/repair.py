"""Installs the declared triggers where others are installed: by an early commit's migration, or a partial restore."""

import logging
from typing import Any

from django.db import connections, transaction

from events.triggers.definitions import TRIGGERS, install_sql
from events.triggers.installation import differences, is_ahead, migrated
from events.triggers.sql import CUSTOMERS, OPEN_TABLES, OURS, RECORDS, RELEASES

log = logging.getLogger("vigilpay.events")

STRAYS = """
SELECT quote_ident(tgname), tgrelid::regclass::text, tgfoid::regprocedure::text FROM pg_trigger
WHERE tgrelid = ANY (%s::regclass[]) AND NOT tgisinternal AND tgname ~ %s AND tgname <> ALL (%s)
"""


def install(using: str) -> None:
    """All of them, whatever is there. Waits for open edits; takes milliseconds."""
    with transaction.atomic(using), connections[using].cursor() as cursor:
        cursor.execute(STRAYS, [[CUSTOMERS, RELEASES, RECORDS], OURS, [trigger.name for trigger in TRIGGERS]])
        for trigger, table, function in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER {trigger} ON {table}")
            cursor.execute(f"DROP FUNCTION {function}")
        for statement in install_sql():
            cursor.execute(statement)
        cursor.execute(OPEN_TABLES)


def repair_if_newest(using: str, plan: Any = None, **kwargs: Any) -> None:
    """After migrating to the newest state, and only then: what is not as declared is installed anew."""
    if plan is None or not migrated(using) or is_ahead(using) or not (faults := differences(using)):
        return  # without a plan it is `flush`, which touches no trigger
    install(using)
    log.warning("Triggers installed anew, %s were not as declared: %s", len(faults), " ".join(it.msg for it in faults))
