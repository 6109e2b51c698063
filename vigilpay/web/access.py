"""Which requests may call the JSON views, and the one shape of error outside the admin."""

from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin


class ApiLoginMiddleware(LoginRequiredMiddleware):
    """Ask for a session on every address outside the admin, and answer in JSON.

    A middleware, not a decorator: the views stay callable with a bare request that has no user.
    """

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[object, ...],
        view_kwargs: dict[str, object],
    ) -> HttpResponseBase | None:
        if in_admin(request) or may_call_without_login(request):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(  # type: ignore[override]  # Django would send a program to an HTML form
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> JsonResponse:
        return JsonResponse({"error": "Log in first: this address needs a session."}, status=401)


class JsonErrorsMiddleware(MiddlewareMixin):
    """Turn Django's HTML error pages (unknown address, wrong host, crash, ...) into JSON outside the admin."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if response.status_code < 400 or in_admin(request) or response["Content-Type"] == "application/json":
            return response
        return as_json_error(response)


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
