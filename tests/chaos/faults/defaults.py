"""Defaults that a database administrator has set for the whole database."""

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db import connections

from tests.chaos.faults.registry import End, Inject, fault
from vigilpay.private_postgresql.installation import NAME

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

# How values are read and written: each makes some client misread something.
SPELLING = {
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "extra_float_digits": "-10",
    "bytea_output": "escape",
    "array_nulls": "off",
    "standard_conforming_strings": "off",
}
ISOLATION = {"default_transaction_isolation": "serializable", "default_transaction_deferrable": "on"}


def database_defaults(defaults: Mapping[str, str]) -> Inject:
    def inject(storm: "Storm", pick: random.Random) -> End:
        storm.later.callback(set_defaults, storm, f"ALTER DATABASE {NAME} RESET ALL")
        set_defaults(storm, *(f"ALTER DATABASE {NAME} SET {name} = '{value}'" for name, value in defaults.items()))
        # The editors' own clients set what they rely on.
        storm.connect_editors(options=r"-c default_transaction_isolation=read\ committed -c datestyle=ISO")
        return None

    return inject


def set_defaults(storm: "Storm", *statements: str) -> None:
    """They hold for new sessions, so that all have to begin anew."""
    connections.close_all()
    storm.sql(*statements)
    storm.server.terminate_backends()


fault("hostile database defaults", quiet=True)(database_defaults(SPELLING))
fault("serializable by default", quiet=True)(database_defaults(ISOLATION))
