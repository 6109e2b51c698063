"""The address of the house itself: what this is, and where to go on."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.urls import reverse

from customers.api.responses import reads_only
from vigilpay import __version__
from vigilpay.web.openapi import addresses


@login_not_required  # nothing here is of a customer
@reads_only
def index(request: HttpRequest) -> JsonResponse:
    """Name, version, and the addresses of the admin and of the JSON views, with {customer_id} where one belongs."""
    views = {name: address for address, name, _described in addresses() if name != "index"}
    return JsonResponse(
        {"name": "VigilPay", "version": __version__, "links": {"admin": reverse("admin:index"), **views}}
    )
