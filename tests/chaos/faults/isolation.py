"""Editors at other levels of isolation, and in two phases."""

import random
from collections.abc import Iterator
from time import sleep
from typing import TYPE_CHECKING

from tests.chaos import leases
from tests.chaos.editors import Edit, Editor
from tests.chaos.faults.registry import End, Inject, fault, repeat
from tests.chaos.ledger import change
from tests.chaos.people import a_change
from tests.chaos.ways import (
    delete_and_insert_again,
    effects_of,
    insert,
    there_and_back,
    update_many_of_its_own,
    update_several_in_turn,
    update_statement,
)

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

SOON_SECONDS = 0.03

# What a bank sets for a role whose transactions are prepared: NOTIFY is refused there.
SETTLER = (
    "DROP ROLE IF EXISTS settler",
    "CREATE ROLE settler LOGIN SUPERUSER",
    "ALTER ROLE settler SET vigilpay.notify = 'off'",
)


def edit_twice(editor: Editor) -> Iterator[Edit]:
    """The second time while the first is being scored."""
    customer = editor.own_one()
    for _ in range(2):
        fields = a_change(editor.pick)
        statement = update_statement(customer, fields)
        yield Edit(lambda statement=statement: editor.session().execute(statement), {customer: change(fields)})
        sleep(editor.pick.uniform(0, SOON_SECONDS))


def commit_in_two_phases(editor: Editor) -> Iterator[Edit]:
    changes = {customer: a_change(editor.pick) for customer in editor.own(editor.pick.randint(1, 3))}
    name = f"storm {editor.number} {editor.pick.random()}"
    yield Edit(lambda: _prepare_and_commit(editor, changes, name), effects_of(changes))


def _prepare_and_commit(editor: Editor, changes: dict[int, dict[str, object]], name: str) -> None:
    session = editor.session()
    session.execute("BEGIN")
    for customer, fields in changes.items():
        session.execute(update_statement(customer, fields))
    session.execute(f"PREPARE TRANSACTION '{name}'")
    session.execute(f"COMMIT PREPARED '{name}'")


# Each editor keeps to its own customers: without us PostgreSQL refuses nothing, but for what SERIALIZABLE suspects.
OF_ITS_OWN = (
    *(edit_twice, edit_twice, there_and_back, insert),
    *(delete_and_insert_again, update_many_of_its_own, update_several_in_turn),
)


def editors_at(level: str) -> Inject:
    def inject(storm: "Storm", pick: random.Random) -> End:
        storm.connect_editors(options=rf"-c default_transaction_isolation={level}")
        return None

    return inject


fault("REPEATABLE READ editors", quiet=True, refusals=True, short=False, ways=OF_ITS_OWN, others=False)(
    editors_at(r"repeatable\ read")
)
fault("SERIALIZABLE editors", quiet=True, refusals=True, short=False, ways=OF_ITS_OWN, others=False)(
    editors_at("serializable")
)


@fault("editors who commit in two phases", quiet=True, ways=(commit_in_two_phases,))
def two_phases(storm: "Storm", pick: random.Random) -> End:
    """Each finds the lease free, so that all of them would send a notification."""
    storm.sql(*SETTLER)
    storm.later.callback(storm.sql, "DROP ROLE settler")
    storm.connect_editors(user="settler")
    return repeat(lambda: storm.sql(leases.END), every=0.05)
