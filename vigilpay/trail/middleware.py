"""Writes the audit trail: one entry for each request that has read or changed something about customers."""

import logging
from collections.abc import Callable

from django.db import Error as DatabaseFault
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, reverse

from customers.conditions import Condition
from vigilpay.trail import requests, writing
from vigilpay.trail.models import USER

log = logging.getLogger("vigilpay.trail")

unwritten = Condition(log)

ANONYMOUS = "anonymous"
REDIRECTS, ERRORS, FORBIDDEN = 300, 400, 403


class TrailMiddleware:
    """Behind the authentication, so that it knows the actor. The entry is written before the answer is sent.

    A view that is called by itself, without middleware, leaves none.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.resolver_match is not None:
            note(request, request.resolver_match, response)
        return response


def note(request: HttpRequest, match: ResolverMatch, response: HttpResponseBase) -> None:
    """A page never fails for its entry, whatever is wrong: where none can be written, the log says so, once."""
    try:
        if append_if_due(request, match, response):
            unwritten.end("The audit trail is written again.")
    except Exception as error:
        # The text of another error than the database's may quote a value.
        cause = error if isinstance(error, DatabaseFault) else type(error).__name__
        unwritten.begin("The audit trail can't be written, requests go on: %s", cause, state="unwritten")


def append_if_due(request: HttpRequest, match: ResolverMatch, response: HttpResponseBase) -> bool:
    """Whether there was an entry to write."""
    refused = is_refused(response)
    if refused and actor_of(request) == ANONYMOUS:
        return False  # who may be anyone, has seen nothing, and is in the log of the web server
    if not refused and not has_answered(request, response):
        return False
    purpose = requests.purpose_of(request, match, response)
    if purpose is None:
        return False
    customers = requests.customers_of(request, match, response)
    if not refused and requests.is_of_no_concern(match, purpose, customers):
        return False
    writing.append(actor_of(request), purpose, match.view_name, customers, refused=refused)
    return True


def is_refused(response: HttpResponseBase) -> bool:
    """Whether the caller lacked the right; the admin sends a user who is no member of the staff to its login."""
    return response.status_code == FORBIDDEN or str(response.get("Location", "")).startswith(reverse("admin:login"))


def has_answered(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether something was shown or done. Who asks for a page and is sent elsewhere has seen nothing here."""
    return response.status_code < (REDIRECTS if request.method != "POST" else ERRORS)


def actor_of(request: HttpRequest) -> str:
    """By its key, never by its name."""
    token = getattr(request, "service_token", None)
    if token is not None:
        return f"token:{token.pk}"
    user = getattr(request, "user", None)
    return ANONYMOUS if user is None or user.pk is None else f"{USER}{user.pk}"
