"""The first question of a job, on a connection that may have died while nobody used it."""

from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

Answer = TypeVar("Answer")


def first_asked(question: Callable[[], Answer]) -> Answer:
    """The answer, by a new connection if the present one is dead. ``question`` may be asked twice.

    Django's own check before the first statement costs one more round trip, on a way from an edit to its score that
    has few.
    """
    connection.health_check_done = True  # type: ignore[attr-defined]  # since Django 4.1, unknown to its stubs
    try:
        return question()
    except (OperationalError, InterfaceError):
        connection.close()
        return question()
