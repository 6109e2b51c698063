"""Whose work a worker does: edits made meanwhile are recorded as those of the user who asked for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_user_id: ContextVar[int | None] = ContextVar("user_id", default=None)


@contextmanager
def of(user_id: int | None) -> Iterator[None]:
    """Do the block's work for this user. The room above names him to the triggers: ``events/editors.py``."""
    token = _user_id.set(user_id)
    try:
        yield
    finally:
        _user_id.reset(token)


def user_id() -> int | None:
    """The user whose work is being done here; None when nobody has said so."""
    return _user_id.get()
