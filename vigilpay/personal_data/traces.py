"""Where text that names a customer stays behind by accident: sessions, results of jobs, the figures of the overview."""

import json
import pickletools
from base64 import b64decode

from django.contrib.sessions.models import Session

from customers.sql import execute, fetch_rows
from events.models import Overview
from vigilpay.personal_data.person import Person

# Who is logged in stands there by the user's key, which is a number, too.
OF_LOGIN = "_auth_user"
JOBS = "SELECT id, args, kwargs, result FROM django_q_task"
WHOLE_NUMBERS = frozenset({"INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "LONG4"})


def forget_traces(person: Person) -> dict[str, int]:
    """How many of each were deleted, or corrected."""
    return {
        "sessions": forget_sessions(person),
        "results of jobs": forget_jobs(person),
        "figures of the overview": forget_movers(person),
    }


def forget_sessions(person: Person) -> int:
    """Those that name the customer in a message, or as the one just saved. Their users log in again.

    Those that can't be decoded belong to a former key, and to no login.
    """
    told = [session.pk for session in Session.objects.iterator() if names(session, person)]
    return Session.objects.filter(pk__in=told).delete()[0]


def names(session: Session, person: Person) -> bool:
    held = session.get_decoded()
    said = {key: value for key, value in held.items() if not key.startswith(OF_LOGIN)}
    return not held or person.is_in_text(json.dumps(said, ensure_ascii=False, default=str))


def forget_jobs(person: Person) -> int:
    """Jobs that have ended with a text about the customer, as an error may be."""
    told = [job for job, *parts in fetch_rows(JOBS) if any(is_in_pickle(part, person) for part in parts if part)]
    return execute("DELETE FROM django_q_task WHERE id = ANY (%s)", [told]) if told else 0


def is_in_pickle(encoded: str, person: Person) -> bool:
    """By the words and numbers that stand in it. It is never loaded: a pickle is code."""
    try:
        values = list(pickletools.genops(b64decode(encoded)))
    except ValueError:  # no pickle, whatever it is
        return person.is_in_text(encoded)
    return any(
        person.is_in_text(value) if isinstance(value, str) else is_number(operation, value, person)
        for operation, value, _ in values
    )


def is_number(operation: pickletools.OpcodeInfo, value: object, person: Person) -> bool:
    """Whether this is the id, and no length or place in the pickle itself."""
    return operation.name in WHOLE_NUMBERS and value == person.customer_id


def forget_movers(person: Person) -> int:
    """The customer's place among those who moved most; the next count fills it."""
    overview = Overview.objects.select_for_update().first()
    if overview is None or not overview.figures:
        return 0
    removed = 0
    for window in overview.figures["movers"]:
        for side in ("risers", "fallers"):
            kept = [mover for mover in window[side] if mover["customer_id"] != person.customer_id]
            removed += len(window[side]) - len(kept)
            window[side] = kept
    if removed:
        overview.save(update_fields=["figures"])
    return removed
