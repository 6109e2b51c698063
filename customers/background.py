"""Work that a page leaves to the workers. Who they are, the room above knows, and tells here."""

from collections.abc import Callable
from functools import partial

from django.db import transaction


def _nobody(function: str, *arguments: int) -> None:
    raise RuntimeError(f"Nobody has said who runs {function}: see handled_by()")


_queue: Callable[..., object] = _nobody


def handled_by(queue: Callable[..., object]) -> None:
    """Have work left to this function, which takes the dotted path of another and its arguments."""
    global _queue
    _queue = queue


def leave(function: str, *arguments: int) -> None:
    """Have a worker call the function of this dotted path, once the present transaction has committed.

    A job may run twice, late, or get lost with the queue: whoever leaves one keeps in a row what is to be done.
    """
    transaction.on_commit(partial(_queue, function, *arguments))
