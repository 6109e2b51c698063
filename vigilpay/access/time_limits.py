"""How long a login lasts: a working day at most, and no longer than a break without a request.

Django's own expiry begins anew whenever something is stored in the session, so it bounds neither.
"""

from collections.abc import Callable
from contextlib import suppress
from time import time
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase

LOGGED_IN_AT, SEEN_AT = "logged_in_at", "seen_at"  # seconds since 1970
NOTE_SECONDS = 60.0  # a session is written no more often than that


class LoginTimeLimitsMiddleware:
    """Ends a login that is too old, before it lets anything be done. Stands behind Django's authentication."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            with suppress(OperationalError, InterfaceError):  # without a database there is no session either
                enforce(request)
        return self.get_response(request)


def begin(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    """Connected to Django's ``user_logged_in``."""
    request.session[LOGGED_IN_AT] = request.session[SEEN_AT] = time()


def enforce(request: HttpRequest) -> None:
    """Log out whose time is over, and note the others as seen."""
    if SESSION_KEY not in request.session:
        return
    now, session = time(), request.session
    if is_over(session, now):
        logout(request)
    elif now - session.get(SEEN_AT, 0) > min(NOTE_SECONDS, settings.SESSION_IDLE_SECONDS / 10):
        session.setdefault(LOGGED_IN_AT, now)
        session[SEEN_AT] = now


def is_over(session: Any, now: float) -> bool:
    """Whether one of both limits has passed. A login of an earlier version has no times, and begins now."""
    logged_in_for, idle_for = (now - session.get(name, now) for name in (LOGGED_IN_AT, SEEN_AT))
    return bool(logged_in_for > settings.SESSION_COOKIE_AGE or idle_for > settings.SESSION_IDLE_SECONDS)
