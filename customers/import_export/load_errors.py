"""Why storing stopped, in words for staff."""

from django.db import DatabaseError, OperationalError
from psycopg import errors

from customers.presentation.numbers import format_count
from customers.scoring.contention import lost_to_an_editor


class LoadError(Exception):
    """Storing stopped; the slices before are stored. The message is for staff and holds no customer's data."""


def describe_stop(reason: str, stored: int) -> str:
    rows = format_count(stored, "row was stored", "rows were stored")
    return f"The import stopped after {rows}: {reason}. Resolve this, then import the remaining rows."


def reason_of(error: DatabaseError) -> str:
    return "a customer is being edited elsewhere" if lost_to_an_editor(error) else database_message(error)


def database_message(error: DatabaseError) -> str:
    """What PostgreSQL or its driver says in one line. Never the details, which quote the failing row."""
    cause = error.__cause__
    primary = cause.diag.message_primary if isinstance(cause, errors.Error) else None
    return primary or (str(error).partition("\n")[0] if isinstance(error, OperationalError) else type(error).__name__)
