"""The address of the house itself: what this is, and where to go on."""

from django.http import HttpRequest, JsonResponse
from django.urls import reverse

from customers.api.responses import reads_only
from vigilpay import __version__
from vigilpay.web.openapi import addresses


@reads_only
def index(request: HttpRequest) -> JsonResponse:
    """Name, version, and the addresses of the admin and of the JSON views, with {customer_id} where one belongs."""
    views = {name: address for address, name, _described in addresses() if name != "index"}
    return JsonResponse(
        {"name": "VigilPay", "version": __version__, "links": {"admin": reverse("admin:index"), **views}}
    )
