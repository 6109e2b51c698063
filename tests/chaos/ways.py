"""The ways of editing a customer. Each draws its values first, then says what to do and what that leaves.

Several customers that all editors share are always locked in the order of their ids, so that the editors have no
deadlocks of their own; an editor's own customers in any order, for there it could only be the engine that waits for an
editor.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from time import sleep
from typing import Any

from django.db import transaction
from django.test import RequestFactory
from psycopg import sql

from customers.import_export.staging import STORED, Progress, staged
from customers.ml_service.schema import FEATURES
from customers.models import Customer
from customers.views import analyze_customer
from tests.chaos.editors import BusyError, Edit, Editor
from tests.chaos.errors import PsqlError
from tests.chaos.ledger import change, put, remove
from tests.chaos.people import a_change, full_row, scattered_ids
from tests.factories import random_fields

INSTANCES = 30  # that an editor keeps, to save them when they are old
RARE = 0.05
HOLD_SECONDS = (0.1, 0.6)
OBJECTORS = 20  # one customer in so many objects to being scored, now and then

COLUMNS = ", ".join(STORED)
PLACES = ", ".join(["%s"] * len(STORED))
INSERT = f"INSERT INTO customers_customer ({COLUMNS}) VALUES ({PLACES})"
UPSERT = (
    f"{INSERT} ON CONFLICT (customer_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in FEATURES)}"
)
COPY = f"COPY customers_customer ({COLUMNS}) FROM STDIN"
DELETE = "DELETE FROM customers_customer WHERE customer_id = %s"
DELETE_MANY = "DELETE FROM customers_customer WHERE customer_id = ANY(%s)"
LOCK = "SELECT FROM customers_customer WHERE customer_id = ANY(%s) ORDER BY customer_id FOR UPDATE"
MOVE = "UPDATE customers_customer SET customer_id = %s WHERE customer_id = %s"

UPDATE = sql.SQL("UPDATE customers_customer SET {values} WHERE customer_id = {customer}")
UPDATE_MANY = sql.SQL("UPDATE customers_customer SET {values} WHERE customer_id = ANY({customers})")


# --- Django -----------------------------------------------------------------------------------------------------------


def save_an_old_instance(editor: Editor) -> Iterator[Edit]:
    """A full save of what was read long ago: it writes old values into every column, score and version included."""
    if len(editor.old_instances) < INSTANCES or editor.pick.random() < 0.3:
        yield Edit(lambda: _read(editor, editor.anybodys(5)))
    if not editor.old_instances:
        return
    customer = editor.pick.choice(editor.old_instances)
    for name, value in a_change(editor.pick).items():
        setattr(customer, name, value)
    yield Edit(customer.save, {customer.pk: put({name: getattr(customer, name) for name in FEATURES})})


def _read(editor: Editor, customers: list[int]) -> None:
    editor.old_instances.extend(Customer.objects.filter(pk__in=customers))
    editor.pick.shuffle(editor.old_instances)
    del editor.old_instances[INSTANCES:]


def save_some_fields(editor: Editor) -> Iterator[Edit]:
    customers, fields = editor.anybodys(), a_change(editor.pick)

    def save() -> None:
        customer = Customer.objects.get(pk=customers[0])
        for name, value in fields.items():
            setattr(customer, name, value)
        customer.save(update_fields=list(fields))

    yield Edit(save, {customers[0]: change(fields)})


def update_a_queryset(editor: Editor) -> Iterator[Edit]:
    customers, fields = editor.anybodys(), a_change(editor.pick)
    yield Edit(
        lambda: Customer.objects.filter(pk__in=customers).update(**fields), dict.fromkeys(customers, change(fields))
    )


def bulk_update(editor: Editor) -> Iterator[Edit]:
    customers = editor.anybodys(5)
    new = {customer: _some_money(editor) for customer in customers}

    @transaction.atomic
    def update() -> None:
        rows = list(Customer.objects.select_for_update().filter(pk__in=customers).order_by("pk"))
        for row in rows:
            for name, value in new[row.pk].items():
                setattr(row, name, value)
        Customer.objects.bulk_update(rows, ["age", "balance"])

    yield Edit(update, {customer: change(fields) for customer, fields in new.items()})


def _some_money(editor: Editor) -> dict[str, Any]:
    values = random_fields(editor.pick)
    return {name: values[name] for name in ("age", "balance")}


def create(editor: Editor) -> Iterator[Edit]:
    (customer,) = editor.new_ids()
    fields = random_fields(editor.pick)
    yield Edit(lambda: Customer.objects.create(customer_id=customer, **fields), {customer: put(fields)}, inserts=True)


def delete_an_instance(editor: Editor) -> Iterator[Edit]:
    customer = editor.own_one()
    yield Edit(lambda: Customer.objects.filter(pk=customer).delete(), {customer: remove})


def analyze(editor: Editor) -> Iterator[Edit]:
    customer = editor.pick.choice([*editor.anybodys(), editor.pick.choice(editor.portfolio.contested)])
    yield Edit(lambda: _analyze(customer))


def _analyze(customer: int) -> None:
    response = analyze_customer(RequestFactory().get(f"/customers/analyze/{customer}/"), customer_id=customer)
    answer = json.loads(response.content)
    if response.status_code == 503:  # an open edit holds it, or no usable model at this moment
        raise BusyError(answer["error"])
    if response.status_code in (404, 409):  # deleted, or objected
        return
    if response.status_code != 200 or not 0 <= answer["churn_risk_score"] <= 1:
        raise AssertionError(f"analyze of {customer} answered {response.status_code}: {answer}")


# --- many at once -----------------------------------------------------------------------------------------------------


def load_in_bulk(editor: Editor) -> Iterator[Edit]:
    """As an import does: COPY to a staging table, then an upsert."""
    rows = {customer: random_fields(editor.pick) for customer in [*editor.anybodys(10), *editor.new_ids(3)]}

    def load() -> None:
        with staged([full_row(customer, fields) for customer, fields in rows.items()], STORED, Progress()) as staging:
            staging.store()

    yield Edit(load, {customer: put(fields) for customer, fields in rows.items()})


def copy_in(editor: Editor) -> Iterator[Edit]:
    rows = {customer: random_fields(editor.pick) for customer in editor.new_ids(editor.pick.randint(1, 20))}
    yield Edit(lambda: _copy(editor, rows), {customer: put(fields) for customer, fields in rows.items()}, inserts=True)


def _copy(editor: Editor, rows: dict[int, dict[str, Any]]) -> None:
    with editor.session().cursor().copy(COPY) as copying:
        for customer, fields in rows.items():
            copying.write_row(full_row(customer, fields))


def copy_in_a_portfolio_and_delete_it(editor: Editor) -> Iterator[Edit]:
    """Thousands of rows in one transaction, now and then."""
    if editor.pick.random() > RARE:
        return
    rows = {customer: random_fields(editor.pick) for customer in scattered_ids(editor.number)}
    for customer in rows:
        editor.ledger.open(customer)
    yield Edit(lambda: _copy(editor, rows), {customer: put(fields) for customer, fields in rows.items()}, inserts=True)
    yield Edit(lambda: editor.session().execute(DELETE_MANY, [list(rows)]), dict.fromkeys(rows, remove))


def update_many_of_its_own(editor: Editor) -> Iterator[Edit]:
    """One statement, rows locked in whatever order PostgreSQL finds them: against the engine nothing protects it."""
    customers, fields = editor.own(40), a_change(editor.pick)
    statement = UPDATE_MANY.format(values=_assignments(fields), customers=sql.Literal(customers))
    yield Edit(lambda: editor.session().execute(statement), dict.fromkeys(customers, change(fields)))


def update_several_in_turn(editor: Editor) -> Iterator[Edit]:
    """A transaction of single updates in random order, while a drain goes through the same rows in its own order."""
    changes = {customer: a_change(editor.pick) for customer in editor.own(8)}
    yield Edit(lambda: in_one_transaction(editor, changes), effects_of(changes))


def update_several_shared_ones(editor: Editor) -> Iterator[Edit]:
    """The same among editors: locked in the order of ids, then updated in a random one."""
    customers = editor.pick.sample(editor.portfolio.shared, 5)
    changes = {customer: a_change(editor.pick) for customer in customers}

    def update() -> None:
        with editor.session().transaction():
            editor.session().execute(LOCK, [sorted(customers)])
            _update_in_turn(editor, changes)

    yield Edit(update, effects_of(changes))


# --- plain SQL --------------------------------------------------------------------------------------------------------


def update_in_sql(editor: Editor) -> Iterator[Edit]:
    changes = {customer: a_change(editor.pick) for customer in editor.anybodys()}
    yield Edit(lambda: _update_in_turn(editor, changes), effects_of(changes))


def update_in_psql(editor: Editor) -> Iterator[Edit]:
    changes = {customer: a_change(editor.pick) for customer in editor.anybodys()}
    statements = [update_statement(customer, fields).as_string(None) for customer, fields in changes.items()]
    yield Edit(lambda: _psql(editor, statements), effects_of(changes))


def insert(editor: Editor) -> Iterator[Edit]:
    (customer,) = editor.new_ids()
    fields = random_fields(editor.pick)
    yield Edit(
        lambda: editor.session().execute(INSERT, full_row(customer, fields)), {customer: put(fields)}, inserts=True
    )


def delete(editor: Editor) -> Iterator[Edit]:
    yield from _delete_one(editor, editor.own_one())


def delete_and_insert_again(editor: Editor) -> Iterator[Edit]:
    """The same id, another person; in one transaction or in two."""
    customer, fields = editor.own_one(), random_fields(editor.pick)
    row = full_row(customer, fields)
    if editor.pick.random() < 0.5:
        editor.ledger.has_a_gap(customer)
        yield Edit(lambda: _replace(editor, customer, row), {customer: put(fields)})
    else:
        yield from _delete_one(editor, customer)
        yield Edit(lambda: editor.session().execute(INSERT, row), {customer: put(fields)}, inserts=True)


def _delete_one(editor: Editor, customer: int) -> Iterator[Edit]:
    yield Edit(lambda: editor.session().execute(DELETE, [customer]), {customer: remove})


def _replace(editor: Editor, customer: int, row: Sequence[Any]) -> None:
    with editor.session().transaction():
        editor.session().execute(DELETE, [customer])
        editor.session().execute(INSERT, row)


def there_and_back(editor: Editor) -> Iterator[Edit]:
    """A -> B -> A: a result for B must not stay, and one for the first A may not be taken for the second's."""
    customer, changes = editor.own_one(), a_change(editor.pick)
    former = editor.ledger.known(customer)
    if former is None:
        return
    yield from _update_one(editor, customer, changes)
    back = {name: value for name, value in zip(FEATURES, former, strict=True) if name in changes}
    yield from _update_one(editor, customer, back)


def _update_one(editor: Editor, customer: int, fields: dict[str, Any]) -> Iterator[Edit]:
    yield Edit(lambda: _update_in_turn(editor, {customer: fields}), {customer: change(fields)})


def change_the_id(editor: Editor) -> Iterator[Edit]:
    """Another customer_id, alone or together with another value, mostly while the customer is stale."""
    customer, (new_id,) = editor.own_one(), editor.new_ids()
    if editor.pick.random() < 0.7:
        yield from _update_one(editor, customer, a_change(editor.pick))
    state = editor.ledger.known(customer)
    if state is None:
        return
    fields = dict(zip(FEATURES, state, strict=True)) | (a_change(editor.pick) if editor.pick.random() < 0.5 else {})
    editor.ledger.has_a_gap(new_id)
    yield Edit(lambda: _move(editor, customer, new_id, fields), {customer: remove, new_id: put(fields)})


def _move(editor: Editor, customer: int, new_id: int, fields: dict[str, Any]) -> None:
    with editor.session().transaction():
        # The former values too: nothing is changed by them, and repeated after an outage it finds no row.
        editor.session().execute(update_statement(customer, fields))
        editor.session().execute(MOVE, [new_id, customer])


def hold_open(editor: Editor) -> Iterator[Edit]:
    """A transaction that keeps its rows for a while before it commits: drains go past, other editors wait."""
    changes = {customer: a_change(editor.pick) for customer in editor.anybodys(3)}
    seconds = editor.pick.uniform(*HOLD_SECONDS)
    yield Edit(lambda: in_one_transaction(editor, changes, seconds), effects_of(changes))


def roll_back(editor: Editor) -> Iterator[Edit]:
    changes = {customer: a_change(editor.pick) for customer in editor.anybodys(3)}

    def update() -> None:
        with editor.session().transaction(force_rollback=True):
            _update_in_turn(editor, changes)

    yield Edit(update)


def roll_back_to_a_savepoint(editor: Editor) -> Iterator[Edit]:
    """The first half stays, the second half never was."""
    changes = {customer: a_change(editor.pick) for customer in editor.anybodys(4)}
    kept = dict(list(changes.items())[:2])

    def update() -> None:
        # Not by psycopg's transaction(): a connection that is lost while it rolls back is not reported, not even by
        # the commit of the transaction around it.
        session = editor.session()
        session.execute("BEGIN")
        _update_in_turn(editor, kept)
        session.execute("SAVEPOINT halfway")
        _update_in_turn(editor, changes)
        session.execute("ROLLBACK TO SAVEPOINT halfway")
        session.execute("COMMIT")

    yield Edit(update, effects_of(kept))


def fight_for_a_customer(editor: Editor) -> Iterator[Edit]:
    """All delete, insert and update the same few; the last one wins."""
    customer, fields = editor.pick.choice(editor.portfolio.contested), random_fields(editor.pick)
    statement, values = editor.pick.choice(
        [(DELETE, [customer]), (UPSERT, full_row(customer, fields)), (update_statement(customer, fields), [])]
    )
    yield Edit(lambda: editor.session().execute(statement, values or None))


# --- what they are made of --------------------------------------------------------------------------------------------


def effects_of(changes: dict[int, dict[str, Any]]) -> dict[int, Any]:
    return {customer: change(fields) for customer, fields in changes.items()}


def _assignments(fields: dict[str, Any]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in fields.items()
    )


def update_statement(customer: int, fields: dict[str, Any]) -> sql.Composed:
    return UPDATE.format(values=_assignments(fields), customer=sql.Literal(customer))


def _update_in_turn(editor: Editor, changes: dict[int, dict[str, Any]]) -> None:
    for customer, fields in changes.items():
        editor.session().execute(update_statement(customer, fields))


def in_one_transaction(editor: Editor, changes: dict[int, dict[str, Any]], hold_seconds: float = 0) -> None:
    with editor.session().transaction():
        _update_in_turn(editor, changes)
        sleep(hold_seconds)


def _psql(editor: Editor, statements: Iterable[str]) -> None:
    program = shutil.which("psql")
    if program is None:
        for statement in statements:
            editor.session().execute(statement)
        return
    command = [program, editor.url, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose"]
    lines = "".join(f"{statement};\n" for statement in statements)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if done.returncode != 0:
        raise PsqlError(done)


def object_to_scoring(editor: Editor) -> Iterator[Edit]:
    """One customer in twenty objects to being scored, or withdraws that: the same ones again and again."""
    objectors = [customer for customer in editor.anybodys(OBJECTORS) if customer % OBJECTORS == 0]
    for customer in objectors:
        way = editor.pick.choice((_object_in_django, _object_in_sql))
        yield way(editor, customer, objects=editor.pick.random() < 0.6)


def _object_in_django(editor: Editor, customer: int, *, objects: bool) -> Edit:
    return Edit(lambda: Customer.objects.filter(pk=customer).set_objection(objects))


def _object_in_sql(editor: Editor, customer: int, *, objects: bool) -> Edit:
    """Together with other values: an edit and an objection in one."""
    fields = a_change(editor.pick)
    since = sql.SQL("objected_at = {}, ").format(sql.SQL("statement_timestamp()" if objects else "NULL"))
    statement = UPDATE.format(values=since + _assignments(fields), customer=sql.Literal(customer))
    return Edit(lambda: editor.session().execute(statement), {customer: change(fields)})


WAYS = [
    object_to_scoring,
    save_an_old_instance,
    save_some_fields,
    update_a_queryset,
    bulk_update,
    create,
    delete_an_instance,
    analyze,
    load_in_bulk,
    copy_in,
    copy_in_a_portfolio_and_delete_it,
    update_many_of_its_own,
    update_several_in_turn,
    update_several_shared_ones,
    update_in_sql,
    update_in_psql,
    insert,
    delete,
    delete_and_insert_again,
    there_and_back,
    change_the_id,
    hold_open,
    roll_back,
    roll_back_to_a_savepoint,
    fight_for_a_customer,
]
