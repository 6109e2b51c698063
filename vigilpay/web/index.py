"""The address of the house itself: what this is, and where to go on."""

import re

from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, get_resolver, reverse

from customers.api.responses import reads_only
from vigilpay import __version__

ROOMS = ("customers", "events")


@reads_only
def index(request: HttpRequest) -> JsonResponse:
    """Name, version, and the addresses of the admin and of the JSON views, with {customer_id} where one belongs."""
    views = {
        view.name: re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", f"/{room}/{view.pattern}")
        for room in ROOMS
        for view in get_resolver(f"{room}.urls").url_patterns
        if isinstance(view, URLPattern) and view.name
    }
    return JsonResponse(
        {"name": "VigilPay", "version": __version__, "links": {"admin": reverse("admin:index"), **views}}
    )
