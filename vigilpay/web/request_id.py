"""The id of the request that is being answered."""

from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """Empty where no request is answered, as in a worker."""
    return _current.get()
