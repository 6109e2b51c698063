"""Requests that no page of ours would send: answered as Django answers those that it looks at, and never by a crash.

Django's admin checks how a lookup in an address is written, and leaves it to the database whether its value can be
looked up: NUL in a text, a pattern that is none, a range of one value, the year 0.
"""

import logging
from traceback import walk_tb
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import FieldError, ValidationError
from django.db import DataError, ProgrammingError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import ResolverMatch
from django.utils.deprecation import MiddlewareMixin

from vigilpay.web.access import in_admin

log = logging.getLogger("vigilpay.access")

NUL = "\0"
# What a value that can't be looked up ends in: in Django, in the driver, or in PostgreSQL.
UNREADABLE = (
    *(DataError, ProgrammingError, FieldError, ValidationError),
    *(ValueError, TypeError, AttributeError, LookupError, ArithmeticError),
)


class OddRequestsMiddleware(MiddlewareMixin):
    """Before the sessions, whose key is a cookie."""

    def process_request(self, request: HttpRequest) -> None:
        if NUL in request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""):
            del request.COOKIES[settings.SESSION_COOKIE_NAME]  # of no session

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or not in_admin(request) or not isinstance(error, UNREADABLE):
            return None
        if was_raised_in(error, "response_action"):
            return answer_unreadable_choice(request, match)
        if request.method in ("GET", "HEAD") or was_raised_in(error, "get_changelist_instance"):
            return redirect_without_query(request, error)
        return None


def was_raised_in(error: Exception, function: str) -> bool:
    """Whether it was raised in this function of Django's, or in what that has called."""
    return any(frame.f_code.co_name == function for frame, _line in walk_tb(error.__traceback__))


def answer_unreadable_choice(request: HttpRequest, match: ResolverMatch) -> HttpResponse | None:
    """Back to the list, where the rows chosen for an action can't be any; an action that fails by itself does fail."""
    key: Any = match.func.model_admin.opts.pk  # type: ignore[attr-defined]  # Django's admin notes it on its views
    if all(is_key(key, chosen) for chosen in request.POST.getlist("_selected_action")):
        return None
    messages.error(request, "Nothing was changed: the selection could not be read. Select in the list and try again.")
    return HttpResponseRedirect(request.get_full_path())


def is_key(field: Any, text: str) -> bool:
    try:
        field.to_python(text)
    except ValidationError:
        return False
    return NUL not in text


def redirect_without_query(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """Back to the same page, as Django does where the field is not there; once."""
    if not set(request.GET) - {ERROR_FLAG}:
        return None
    log.warning("%s was asked for what can't be looked up: %s", request.path, type(error).__name__)
    return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")
