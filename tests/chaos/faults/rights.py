"""Editors with a role that has rights on the customers, and on nothing else of ours."""

import random
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING

from django.core.management import call_command
from django.db import connections

from tests.chaos.faults.registry import End, Inject, fault

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

TELLER = (
    "DROP ROLE IF EXISTS teller",
    "CREATE ROLE teller LOGIN",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON customers_customer TO teller",
)
NO_TELLER = ("DROP OWNED BY teller", "DROP ROLE teller")
REVOKE = (
    "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC",
    "REVOKE EXECUTE ON ALL PROCEDURES IN SCHEMA public FROM PUBLIC",
)
GRANT_AGAIN = "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC"
ROW_SECURITY = """
DO $each$ DECLARE name text; BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                AND relname ~ '^(customers|events)_' AND relname <> 'customers_customer'
    LOOP EXECUTE format('ALTER TABLE %I {} ROW LEVEL SECURITY', name); END LOOP;
END $each$
"""


def editors_are_tellers(before: Callable[["Storm"], None]) -> Inject:
    def inject(storm: "Storm", pick: random.Random) -> End:
        before(storm)
        storm.sql(*TELLER)
        storm.later.callback(storm.sql, *NO_TELLER)
        storm.connect_editors(user="teller")
        return None

    return inject


def nothing(storm: "Storm") -> None:
    pass


def revoke(storm: "Storm") -> None:
    storm.sql(*REVOKE)
    storm.later.callback(storm.sql, GRANT_AGAIN)


def restore_without_rights(storm: "Storm") -> None:
    """The bank grants its own role what it needs again, and nothing else."""
    storm.server.restore_beside(storm.server.dump("rights"), "--no-acl")
    connections.close_all()
    storm.server.swap()
    storm.later.callback(install_triggers)


def secure_rows(storm: "Storm") -> None:
    storm.sql(ROW_SECURITY.format("ENABLE"))
    storm.later.callback(storm.sql, ROW_SECURITY.format("DISABLE"))


def install_triggers() -> None:
    """As the check advises."""
    connections.close_all()
    call_command("install_triggers", stdout=StringIO())


fault("a role with rights on customers alone", quiet=True)(editors_are_tellers(nothing))
fault("such a role, EXECUTE revoked from PUBLIC", quiet=True)(editors_are_tellers(revoke))
fault("such a role, with row security on our tables", quiet=True)(editors_are_tellers(secure_rows))
fault("such a role, after pg_restore --no-acl", quiet=True, short=False, needs=("pg_dump", "pg_restore"))(
    editors_are_tellers(restore_without_rights)
)
