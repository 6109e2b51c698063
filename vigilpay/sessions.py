"""What every session of ours relies on, whatever a role, a database or the server sets for those who connect.

The one place for it: Django's ``connection_created`` comes with every connection, also those that the worker makes
beside Django's own. What the operator wrote into DATABASE_URL stays (``?options=-c ...``), but for what the driver
itself needs. So does what is a choice: the search path, synchronous_commit, the planner's settings.
"""

import re
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

# Those that PostgreSQL reports to its clients: the driver reads dates and intervals by them, and a pooler gives each of
# its clients its own.
REPORTED = {"DateStyle": "ISO, MDY", "IntervalStyle": "postgres", "standard_conforming_strings": "on"}
PINNED = {
    **REPORTED,
    "array_nulls": "on",
    "bytea_output": "hex",
    "default_transaction_deferrable": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "exit_on_error": "off",
    "extra_float_digits": "1",
    "quote_all_identifiers": "off",
    "row_security": "on",
    "transform_null_equals": "off",
    # Web pages have a limit of their own: vigilpay/web/statement_timeout.py. A listener idles for days.
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "lock_timeout": "0",
    "statement_timeout": "0",
    "transaction_timeout": "0",  # since PostgreSQL 17
}

# Another process number than the one that the server named at the start: a pooler stands between, and what is set for
# the session may be found by another client. A name that the server does not know has no setting, and is passed over.
PIN = """
SELECT set_config(pin.name, pin.value, false)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS pin (name, value)
WHERE current_setting(pin.name, true) <> pin.value
  AND (pin.name = ANY (%(reported)s::text[]) OR pg_backend_pid() = %(process)s)
"""
SET_IN_ADDRESS = re.compile(r"(?:-c\s*|--)([A-Za-z_]+)\s*=")


def pin(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Connected to Django's ``connection_created``."""
    if connection.vendor != "postgresql":
        return
    asked_for = {
        name.lower() for name in SET_IN_ADDRESS.findall(connection.settings_dict["OPTIONS"].get("options", ""))
    }
    pinned = {name: value for name, value in PINNED.items() if name in REPORTED or name not in asked_for}
    values = {
        "names": list(pinned),
        "values": list(pinned.values()),
        "reported": list(REPORTED),
        "process": connection.connection.info.backend_pid,
    }
    with connection.cursor() as cursor:
        cursor.execute(PIN, values)
