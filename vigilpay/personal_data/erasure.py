"""Erases one customer for good, from every table. docs/decisions/0031-the-person.md says what stays, and why."""

import logging
from dataclasses import replace
from typing import Any

from django.db import OperationalError, transaction
from psycopg.errors import DeadlockDetected, LockNotAvailable

from customers import turns
from customers.import_export import external_ids
from customers.import_export.uploads.worker import TURN
from customers.models import Customer
from customers.shadow import batches
from customers.sql import execute, fetch_row
from vigilpay.personal_data.person import Person, keyed_hash
from vigilpay.personal_data.statements import DELETED, EMPTY_ARRAYS, OUT_OF_ARRAYS, TAKEN_OUT, values_for
from vigilpay.personal_data.traces import forget_traces
from vigilpay.personal_data.uploads import forget_in_uploads
from vigilpay.trail.models import TrailEntry

log = logging.getLogger("vigilpay.personal_data")

ADDRESS = "erase_customer"
# For how long an open edit, or a drain, that holds the row is waited for.
PATIENCE = "15s"

LOCK = "SELECT surname, external_id FROM customers_customer WHERE customer_id = %s FOR UPDATE"


class NotErasedError(Exception):
    """Why nothing was erased, and what to do."""


def erase(customer_id: int, actor: str, external_id: str = "") -> dict[str, int]:
    """Erase this customer; how many rows of each kind went or were corrected, none of a customer who is not known.

    In one transaction, with its entry in the audit trail. Then once more: a session that had read the customer before
    may have stored a mark, or a request, meanwhile. Raises ``NotErasedError`` where another session holds the customer.

    Of a customer who has left the table nothing tells the external ID but ``external_id``; with that of another one,
    ``NotErasedError``, too.
    """
    hashed = keyed_hash(customer_id)
    try:
        with transaction.atomic():
            erased = erase_once(customer_id, hashed, external_id)
            if erased:
                TrailEntry.objects.create(
                    actor=actor, purpose=TrailEntry.Purpose.ERASE, customer_ids=[], erased=[hashed], address=ADDRESS
                )
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
            raise NotErasedError("Another session holds this customer; nothing was erased. Try again.") from error
        raise
    if erased:
        log.info("A customer was erased by %s: %s", actor, hashed)
        erase_what_came_meanwhile(customer_id, hashed)
    return erased


def erase_once(customer_id: int, hashed: str, external_id: str) -> dict[str, int]:
    """What there was, by kind."""
    execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])
    hold_imports()
    turns.wait_for(batches.TURN)  # a step of shadow scoring has read the customer, and stores the score at its end
    person = with_external_id(hold(customer_id), external_id)
    found = forget_in_uploads(person) | forget_rows(values_for(person, hashed)) | forget_traces(person)
    erased = {kind: number for kind, number in found.items() if number}
    if erased:
        external_ids.never_give(customer_id)
    return erased


def hold_imports() -> None:
    """One that runs has the customer's values in its session, and would store them again."""
    if not turns.take(TURN):
        raise NotErasedError("An import is running; nothing was erased. Try again when it has ended.")
    turns.leave(TURN)  # from the end of this transaction on, until which the row is locked


def hold(customer_id: int) -> Person:
    """Lock the row, and wait for whatever scores it now; the customer as stored there.

    Twice: the row that was waited for may have been replaced, by one that only a new look can see.
    """
    surname, external_id = fetch_row(LOCK, [customer_id]) or fetch_row(LOCK, [customer_id]) or ("", "")
    return Person(customer_id, surname, external_id or "")


def with_external_id(person: Person, external_id: str) -> Person:
    """The customer with this external ID, too, where it is no other's."""
    if external_id in ("", person.external_id):
        return person
    if person.external_id:
        raise NotErasedError(f"Customer {person.customer_id} has another external ID; nothing was erased.")
    if owner := external_ids.customer_ids([external_id]).get(external_id):
        raise NotErasedError(
            f"Customer {owner} has this external ID; nothing was erased. If both are one person, erase {owner} as well."
        )
    return replace(person, external_id=external_id)


def forget_rows(values: dict[str, Any]) -> dict[str, int]:
    found = {kind: execute(statement, values) for kind, statement in DELETED.items()}
    for kind, place in TAKEN_OUT.items():
        (found[kind],) = fetch_row(OUT_OF_ARRAYS.format(**place), values)
        execute(EMPTY_ARRAYS.format(**place))
    return found


@transaction.atomic
def erase_what_came_meanwhile(customer_id: int, hashed: str) -> None:
    """Nothing of a customer who has been stored anew since: that is another life of the id."""
    if not Customer.objects.filter(pk=customer_id).exists():
        forget_rows(values_for(Person(customer_id, ""), hashed))
