"""How much a request may send: refused by its length, before a byte of it is read or stored.

Django checks sizes where a view or the CSRF middleware reads the body, and an uploaded file lies in the folder for
temporary files by then.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

from customers.api.responses import error
from customers.import_export.csv_files.packed import MB
from vigilpay.web import error_pages

# Forms of the admin, with up to some hundred rows chosen, and JSON with up to 1,000 ids.
MOST_BYTES = 1 << 20
# What an upload's form adds to its file.
FORM_BYTES = 1 << 20

UPLOAD_ADDRESS = "admin:customers_importbatch_add"
UPLOAD_RIGHT = "customers.add_importbatch"

Answer = Callable[[HttpRequest], HttpResponseBase]


class RequestSizeMiddleware:
    """Before every middleware that may look at the body. A chunked body has no length: Django
    never reads it, and ``customers/api/json_body.py`` no further than its own limit."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        most = largest_upload() if is_upload(request) else MOST_BYTES
        return refusal(request, most) if length_of(request) > most else self.get_response(request)


class UploadRightMiddleware:
    """Behind the one that knows the user: only staff who may import send more than a form."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if length_of(request) > MOST_BYTES and not request.user.has_perm(UPLOAD_RIGHT):
            return refusal(request, MOST_BYTES)
        return self.get_response(request)


def is_upload(request: HttpRequest) -> bool:
    return request.path == reverse(UPLOAD_ADDRESS)


def largest_upload() -> int:
    return settings.IMPORT_MAX_MB * MB + FORM_BYTES


def length_of(request: HttpRequest) -> int:
    """In bytes, as the request says; 0 where it says nothing."""
    text = request.META.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isdecimal() else 0


def refusal(request: HttpRequest, most: int) -> HttpResponse:
    """A page inside the admin, JSON elsewhere. The server reads little more and ends the connection."""
    reason = f"This request is longer than {most:,} bytes, the limit of this address. Send less at once."
    if error_pages.is_page(request):
        return error_pages.page(request, 413, "Too much at once", reason)
    return error(413, reason)
