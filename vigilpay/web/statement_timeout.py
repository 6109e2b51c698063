"""A page that asks too much is stopped with a message; workers and commands take the time that they need.

The limit is PostgreSQL's own ``statement_timeout``, given to connections that are opened while a request is answered:
such a connection belongs to a thread of the web server, which answers requests and does nothing else. Behind a pooler
it would become that of other clients, so the limit is the operator's there: docs/maintenance.md.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from psycopg.errors import QueryCanceled

from vigilpay.web import error_pages
from vigilpay.web.access import in_admin

# Of this very session alone, as in vigilpay/sessions.py.
LIMIT = "SELECT set_config('statement_timeout', %s, false) WHERE pg_backend_pid() = %s"

_answering: ContextVar[bool] = ContextVar("answering", default=False)


class StatementTimeoutMiddleware:
    """The outermost, so that no connection is opened for a request without its limit."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = _answering.set(True)
        try:
            return self.get_response(request)
        finally:
            _answering.reset(token)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Tell the user what to do, in place of a crash."""
        if not isinstance(error, OperationalError) or not isinstance(error.__cause__, QueryCanceled):
            return None
        if request.path == reverse("admin:index"):
            return error_pages.page(request, 503, "The database is busy", timeout_message(request))
        if in_admin(request):
            messages.error(request, timeout_message(request))
            # The same page without what made it slow, or the front page.
            is_narrowed = request.GET and request.method == "GET"
            return HttpResponseRedirect(request.path if is_narrowed else reverse("admin:index"))
        return JsonResponse({"error": timeout_message(request)}, status=503)


def limit(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Connected to Django's ``connection_created``."""
    if _answering.get() and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            milliseconds = round(settings.WEB_STATEMENT_TIMEOUT_SECONDS * 1000)
            cursor.execute(LIMIT, [f"{milliseconds}ms", connection.connection.info.backend_pid])


def timeout_message(request: HttpRequest) -> str:
    stopped = f"This took longer than {settings.WEB_STATEMENT_TIMEOUT_SECONDS:g} s and was stopped."
    if request.method == "POST":
        return f"{stopped} Check what has changed before you try again, and select fewer at once."
    return f"{stopped} Narrow the request: use a filter, the beginning of a surname, or a customer ID."
