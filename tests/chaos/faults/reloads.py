"""The whole portfolio is taken away and loaded again, as a nightly job does, in the midst of its editors."""

import random
from typing import TYPE_CHECKING

import psycopg

from customers.import_export.staging import STORED
from tests.chaos.errors import described
from tests.chaos.faults.registry import BrokenPromiseError, End, Inject, fault, repeat

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

COLUMNS = ", ".join(STORED)
RELOAD = (
    # Against the editors, whose rows it would otherwise take in another order than they do.
    "LOCK TABLE customers_customer IN {lock} MODE",
    f"CREATE TEMPORARY TABLE nightly ON COMMIT DROP AS SELECT {COLUMNS} FROM customers_customer",
    "{remove} customers_customer",
    f"INSERT INTO customers_customer ({COLUMNS}) SELECT {COLUMNS} FROM nightly",
)
EVERY_SECONDS = 0.7


def reload_by(remove: str, lock: str) -> Inject:
    statements = [statement.format(remove=remove, lock=lock) for statement in RELOAD]

    def inject(storm: "Storm", pick: random.Random) -> End:
        failed: list[str] = []

        def reload() -> None:
            try:
                with storm.server.connect() as connection, connection.transaction():
                    for statement in statements:
                        connection.execute(statement)
            except psycopg.Error as error:
                failed.append(described(error))

        reload()
        stop = repeat(reload, EVERY_SECONDS)

        def end() -> None:
            stop()
            storm.begin_new_lives()
            if failed:
                raise BrokenPromiseError(f"{len(failed)} reloads failed: {failed[0]}")

        return end

    return inject


fault("a reload by DELETE and INSERT")(reload_by("DELETE FROM", "EXCLUSIVE"))
fault("a reload by TRUNCATE and INSERT")(reload_by("TRUNCATE", "ACCESS EXCLUSIVE"))
