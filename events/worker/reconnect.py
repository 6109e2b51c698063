"""The first query of a job, on a connection that may have died while it was idle."""

from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

Answer = TypeVar("Answer")


def with_reconnect(query: Callable[[], Answer]) -> Answer:
    """The answer, by a new connection if the present one is dead. ``query`` may be run twice.

    Django's own check before the first statement costs one more round trip, on a way from an edit to its score that
    has few.
    """
    connection.health_check_done = True  # type: ignore[attr-defined]  # since Django 4.1, unknown to its stubs
    try:
        return query()
    except (OperationalError, InterfaceError):
        connection.close()
        return query()
