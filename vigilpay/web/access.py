"""Who is let in to the JSON views, and the one shape of error outside the admin."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin

from customers.api.responses import database_is_away, error
from customers.conditions import Condition
from vigilpay.access import rules, tokens
from vigilpay.web import error_pages

log = logging.getLogger("vigilpay.access")

database_away = Condition(log)

NO_RULE = "No access rule covers this address, so every request to it is refused."
LOG_IN = "Log in at /admin/, or send a service token: Authorization: Bearer vp_..."
INVALID = "This token is unknown, expired or revoked. Ask an administrator for a new one."
NO_STAFF = "Your account has no access for staff. Ask an administrator for access and a role."

View = Callable[..., HttpResponseBase]


class AccessMiddleware(MiddlewareMixin):
    """Let in whom the rules let in, on every address outside the admin, before any view runs.

    A middleware, not a decorator: the views stay callable with a bare request that has no user. It stands before
    Django's CsrfViewMiddleware, for it knows whether a session is what lets the request in: only such a one can be
    forged by a page elsewhere.
    """

    def process_view(self, request: HttpRequest, view: View, args: Any, kwargs: Any) -> HttpResponse | None:
        if in_admin(request):
            return None
        try:
            refused = refusal(request, view)
        except (OperationalError, InterfaceError) as lost:
            database_away.begin("Who is calling can't be looked up: %s", lost, state="away")
            return database_is_away()
        database_away.end("Who is calling can be looked up again.")
        return refused


def refusal(request: HttpRequest, view: View) -> HttpResponse | None:
    """The answer to a request that is not let in; None for one that is.

    A known caller is let in to what the view does not answer, whatever the permission: 405 is the view's own word.
    """
    rule = rules.rule_for(request.resolver_match.view_name if request.resolver_match else "")
    if rule is None:
        return error(403, NO_RULE)
    secret = tokens.shown_by(request)
    if not does_answer(view, request):
        needs_no_csrf_token(request)
    if rule.is_open:
        return None
    if secret is not None:
        return refuse_token(request, view, rule, secret)
    return refuse_user(request, view, rule)


def refuse_token(request: HttpRequest, view: View, rule: rules.Rule, secret: str) -> HttpResponse | None:
    """The token alone counts: a session that comes with it gives nothing."""
    needs_no_csrf_token(request)
    try:
        token = tokens.find(secret)
    except tokens.InvalidTokenError:
        return error(401, INVALID, **{"WWW-Authenticate": 'Bearer error="invalid_token"'})
    request.user = AnonymousUser()
    request.service_token = token  # type: ignore[attr-defined]  # customers/editors.py names it as the editor
    if rule.scope and rule.scope not in token.scopes and does_answer(view, request):
        return error(
            403, f'This token does not have the scope "{rule.scope}". Ask an administrator for one that has it.'
        )
    return None


def refuse_user(request: HttpRequest, view: View, rule: rules.Rule) -> HttpResponse | None:
    user = request.user
    if may_call_without_login(request):
        if not user.is_authenticated:
            needs_no_csrf_token(request)
        return None
    if not user.is_authenticated:
        return error(401, LOG_IN, **{"WWW-Authenticate": "Bearer"})
    if not does_answer(view, request):
        return None
    if not user.is_staff:
        return error(403, NO_STAFF)
    if rule.permission and not user.has_perm(rule.permission):
        return error(
            403,
            f"Your account does not have the permission {rule.permission}. Ask an administrator for a role with it.",
        )
    return None


def does_answer(view: View, request: HttpRequest) -> bool:
    """Whether the view does anything for this method but say 405: ``customers/api/responses.py``."""
    return request.method in getattr(view, "methods", (request.method,))


def needs_no_csrf_token(request: HttpRequest) -> None:
    """Have CsrfViewMiddleware let it pass: no session lets it in, or it does nothing."""
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # Django's own mark


class JsonErrorsMiddleware(MiddlewareMixin):
    """Turn Django's HTML error pages (unknown address, wrong host, crash, ...) into JSON outside the admin, and what
    has no page inside it into one of the admin's own.

    And have no browser or proxy keep an answer, be it an error, unless the answer says for itself what may be kept.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not (response.status_code < 400 or in_admin(request) or response["Content-Type"] == "application/json"):
            response = as_json_error(response)
        elif response.status_code == 405 and error_pages.is_page(request):
            allowed = response["Allow"]
            response = error_pages.page(request, 405, "Not possible here", error_pages.NOT_ALLOWED)
            response["Allow"] = allowed
        if not request.path.startswith(settings.STATIC_URL):
            response.setdefault("Cache-Control", "no-store")
        return response


def in_admin(request: HttpRequest) -> bool:
    """Whether Django's admin answers this address, in its own words and with its own login."""
    return request.path.startswith((reverse("admin:index"), settings.STATIC_URL))


def may_call_without_login(request: HttpRequest) -> bool:
    """Only where the settings say so, and then only from this very machine."""
    try:
        found = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:  # a server on a socket file knows no address, so its callers must log in
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return not settings.API_LOGIN_REQUIRED and (mapped or found).is_loopback


def as_json_error(response: HttpResponse) -> JsonResponse:
    """The same status and headers that matter, with a body that a program can read."""
    error = JsonResponse(
        {"error": HTTPStatus(response.status_code).phrase},
        status=response.status_code,
        headers={name: response[name] for name in ("Allow", "Retry-After") if name in response},
    )
    # Django's note that its log has this answer: without it there is a second line.
    error._has_been_logged = getattr(response, "_has_been_logged", False)  # type: ignore[attr-defined]
    return error
