"""A name for each request: in the answer, and in every line of the log that is written while it is answered."""

import re
from collections.abc import Callable
from contextvars import ContextVar
from secrets import token_hex

from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "X-Request-Id"
# No blank, quote or control character: the name is written into logs as it is.
WELL_FORMED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,64}")

_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """The name of the request that is being answered; empty outside of any."""
    return _current.get()


class RequestIdMiddleware:
    """Takes the name that the caller or a proxy has given, if it is well formed, or makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        name = given if WELL_FORMED.fullmatch(given) else token_hex(16)
        token = _current.set(name)
        try:
            response = self.get_response(request)
        finally:
            _current.reset(token)
        response[HEADER] = name
        return response
