"""Who edits: the triggers learn of edits that come through Django, and which user makes them.

The setting goes in front of the statement that edits and lasts for its transaction, so that nothing is left behind on a
connection that a pool hands to another client. Prior art: the context tracking of django-pghistory.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from psycopg.sql import Composable

EDIT = re.compile(r'\s*(INSERT INTO|UPDATE) "?customers_customer\b', re.IGNORECASE)
UNSAFE = re.compile(r"[^\w:.@+-]")

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)
_user_id: ContextVar[int | None] = ContextVar("user_id", default=None)


class EditorMiddleware:
    """Has edits made while a request is answered recorded as those of its user."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(token)


@contextmanager
def on_behalf_of(user_id: int | None) -> Iterator[None]:
    """Have the block's edits recorded as those of this user, who asked for them: a worker answers no request."""
    token = _user_id.set(user_id)
    try:
        yield
    finally:
        _user_id.reset(token)


def connected(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Name the editor in front of every edit on this connection. Connected to Django's ``connection_created``."""
    if connection.vendor == "postgresql" and name_the_editor not in connection.execute_wrappers:
        connection.execute_wrappers.append(name_the_editor)


def name_the_editor(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """An execute wrapper of Django: both statements go in one message, and the edit's result is the one returned."""
    if many or not EDIT.match(statement := text_of(sql, context)):
        return execute(sql, params, many, context)
    result = execute(f"SELECT set_config('vigilpay.editor', '{editor()}', true); {statement}", params, many, context)
    context["cursor"].cursor.nextset()
    return result


def text_of(sql: str | bytes | Composable, context: dict[str, Any]) -> str:
    """Whatever a cursor takes: psycopg composes statements too."""
    if isinstance(sql, Composable):
        return sql.as_string(context["cursor"].cursor)
    return sql.decode() if isinstance(sql, bytes) else sql


def editor() -> str:
    """``django``, or ``django:<primary key>`` of the user whose request is answered, or whose work a worker does; for a
    program ``token:<primary key>`` of the service token that its request showed."""
    token = getattr(_request.get(), "service_token", None)
    if token is not None:
        return f"token:{token.pk}"
    user = getattr(_request.get(), "user", None)
    key = _user_id.get() or getattr(user, "pk", None)
    return "django" if key is None else f"django:{UNSAFE.sub('', str(key))}"
