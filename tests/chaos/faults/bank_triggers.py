"""Triggers of the bank's own on its customers: what they do has to count as if it had been in the statement.

Each waits for a word in the surname, which it takes away, so that only the ways of editing given here wake it.
"""

import random
from collections.abc import Callable, Iterator
from time import sleep
from typing import TYPE_CHECKING

from tests.chaos.checks import WRITTEN_BY_THE_BANK
from tests.chaos.editors import Edit, Editor
from tests.chaos.faults.registry import End, Inject, fault
from tests.chaos.ledger import change, put
from tests.chaos.people import RANGE, a_change, full_row
from tests.chaos.ways import INSERT, effects_of, in_one_transaction
from tests.factories import random_fields

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

SURNAME = "In a storm"
SOON_SECONDS = 0.03
FUNCTION = """
CREATE FUNCTION bank() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    {body}
    RETURN NEW;
END $body$
"""
TRIGGER = "CREATE TRIGGER {name} {event} ON customers_customer FOR EACH ROW EXECUTE FUNCTION bank()"
DROP = "DROP FUNCTION IF EXISTS bank() CASCADE"

# "moves to 1234.50 2": balance and products.
MOVE = f"""
    IF NEW.surname LIKE 'moves to %' THEN
        NEW.balance := split_part(NEW.surname, ' ', 3)::numeric;
        NEW.num_of_products := split_part(NEW.surname, ' ', 4)::smallint;
        NEW.surname := '{SURNAME}';
    END IF;
"""
# A statement of its own, beside the one that fired it.
MOVE_AFTERWARDS = f"""
    IF NEW.surname LIKE 'moves to %' THEN
        UPDATE customers_customer SET surname = '{SURNAME}', balance = split_part(NEW.surname, ' ', 3)::numeric,
            num_of_products = split_part(NEW.surname, ' ', 4)::smallint WHERE customer_id = NEW.customer_id;
    END IF;
"""
WRITE_A_SCORE = f"""
    IF NEW.surname = 'is risky' THEN
        NEW.churn_risk_score := {WRITTEN_BY_THE_BANK};
        NEW.surname := '{SURNAME}';
    END IF;
"""
# When the scorer itself writes: a shared customer who is at risk gets a card, and keeps it.
REACT_TO_A_SCORE = f"""
    IF NEW.customer_id < {RANGE} AND NEW.churn_risk_score > 0.3
       AND NEW.churn_risk_score IS DISTINCT FROM OLD.churn_risk_score THEN
        NEW.has_cr_card := true;
    END IF;
"""
# "comes as 17": the id that the bank gives to a row without one, or with another.
ASSIGN_AN_ID = f"""
    IF NEW.surname LIKE 'comes as %' THEN
        NEW.customer_id := split_part(NEW.surname, ' ', 3)::bigint;
        NEW.surname := '{SURNAME}';
    END IF;
"""
COUNT = "UPDATE bank_count SET edits = edits + 1;"
COUNTER = (
    "CREATE TABLE bank_count (edits bigint NOT NULL)",
    "INSERT INTO bank_count VALUES (0)",
)

SET_SURNAME = "UPDATE customers_customer SET surname = %s WHERE customer_id = %s"
SET_SURNAME_AND_TENURE = "UPDATE customers_customer SET surname = %s, tenure = tenure WHERE customer_id = %s"


# --- ways of editing that wake them -----------------------------------------------------------------------------------


def move_by_surname(editor: Editor) -> Iterator[Edit]:
    yield from _move(editor, SET_SURNAME)


def move_by_surname_and_an_old_value(editor: Editor) -> Iterator[Edit]:
    """The statement names one of the nine fields, and does not change it."""
    yield from _move(editor, SET_SURNAME_AND_TENURE)


def _move(editor: Editor, statement: str) -> Iterator[Edit]:
    (customer,), fields = editor.anybodys(), random_fields(editor.pick)
    moved = {name: fields[name] for name in ("balance", "num_of_products")}
    word = "moves to {balance} {num_of_products}".format(**moved)
    yield Edit(lambda: editor.session().execute(statement, [word, customer]), {customer: change(moved)})


def call_risky(editor: Editor) -> Iterator[Edit]:
    """Not one who has objected to being scored: the table refuses a score that is written behind the stamp."""
    (customer,) = editor.anybodys()
    yield Edit(lambda: editor.session().execute(f"{SET_SURNAME} AND objected_at IS NULL", ["is risky", customer]))


def insert_without_an_id(editor: Editor) -> Iterator[Edit]:
    """With none, or with one that the bank's trigger replaces."""
    (customer,), fields = editor.new_ids(), random_fields(editor.pick)
    _, _, *values = full_row(customer, fields)
    row = [editor.pick.choice([None, customer + 1_000_000_000]), f"comes as {customer}", *values]
    yield Edit(lambda: editor.session().execute(INSERT, row), {customer: put(fields)}, inserts=True)


def update_again_behind_another(editor: Editor) -> Iterator[Edit]:
    """In one transaction with another of its own: it holds the count, and wants a row that is being scored."""
    one, other = editor.own(2)
    first, again = ({one: a_change(editor.pick)}, {other: a_change(editor.pick), one: a_change(editor.pick)})
    yield Edit(lambda: in_one_transaction(editor, first), effects_of(first))
    sleep(editor.pick.uniform(0, SOON_SECONDS))
    yield Edit(lambda: in_one_transaction(editor, again), effects_of(again))


# --- the faults -------------------------------------------------------------------------------------------------------


def bank_trigger(name: str, event: str, body: str) -> Inject:
    """Installed before the editors start, and kept until everything has been examined."""

    def inject(storm: "Storm", pick: random.Random) -> End:
        storm.later.callback(storm.sql, DROP)
        storm.sql(DROP, FUNCTION.format(body=body), TRIGGER.format(name=name, event=event))
        return None

    return inject


AGAIN = (update_again_behind_another,)
MOVES = (move_by_surname, move_by_surname_and_an_old_value)


def register(
    name: str, trigger: str, event: str, body: str, ways: tuple[Callable[[Editor], Iterator[Edit]], ...] = ()
) -> None:
    fault(f"a bank's trigger {name}", quiet=True, ways=ways)(bank_trigger(trigger, event, body))


# Before all of ours, between guard and stamp, and behind all of ours: PostgreSQL fires them by name.
for place, name in (("before ours", "bank"), ("after the guard", "zz_bank"), ("behind ours", "zzzz_bank")):
    register(f"changes other columns, {place}", name, "BEFORE UPDATE", MOVE, MOVES)
    register(f"answers a score, {place}", name, "BEFORE UPDATE", REACT_TO_A_SCORE)
    register(f"writes a score, {place}", name, "BEFORE UPDATE", WRITE_A_SCORE, (call_risky,))
    register(f"assigns the id, {place}", name, "BEFORE INSERT", ASSIGN_AN_ID, (insert_without_an_id,))
register("changes other columns afterwards", "bank", "AFTER UPDATE", MOVE_AFTERWARDS, MOVES)


@fault("a bank's trigger counts in one row", quiet=True, refusals=True, short=False, ways=AGAIN, others=False)
def count_in_one_row(storm: "Storm", pick: random.Random) -> End:
    """Each editor keeps to its own customers: without us there is no deadlock."""
    storm.later.callback(storm.sql, "DROP TABLE IF EXISTS bank_count")
    storm.sql("DROP TABLE IF EXISTS bank_count", *COUNTER)
    return bank_trigger("bank", "AFTER INSERT OR UPDATE OR DELETE", COUNT)(storm, pick)
