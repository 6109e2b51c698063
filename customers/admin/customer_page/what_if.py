"""What the score would be with other values, asked on the page of a customer. Nothing is stored."""

import copy
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse

from customers.admin.customer_page.facts import CustomerFacts
from customers.admin.customer_page.form import CustomerForm
from customers.models import Customer

URL_NAME = "customers_customer_what_if"


class WhatIfPage(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    """A page of a customer that can be asked with other values, by all staff who may see it.

    The button sends the fields of the page as they are filled in to an address of their own. The answer is the page
    as a GET would show it, with those values in its fields: Django's own view saves upon POST alone.
    """

    form = CustomerForm

    def get_urls(self) -> list[URLPattern]:
        return [
            path("<path:object_id>/what-if/", self.admin_site.admin_view(self.what_if_view), name=URL_NAME),
            *super().get_urls(),
        ]

    def what_if_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        page = reverse("admin:customers_customer_change", args=[object_id])
        customer = super().get_object(request, unquote(object_id))
        if request.method != "POST" or customer is None:
            return HttpResponseRedirect(page)  # which has a message for an unknown id
        if not self.has_view_permission(request, customer):
            raise PermissionDenied
        return self.changeform_view(shown_with(request.POST, request), object_id, form_url=page)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Customer | None:
        """With the facts of the page, as its fields are rendered from the customer alone."""
        customer: Any = super().get_object(request, object_id, from_field)
        if customer is not None:
            # A copy: a form that is shown again has its fields' new values on the instance already.
            stored, asked = copy.copy(customer), getattr(request, "asked", None)
            customer.facts = CustomerFacts(stored, request.user, asked, self.has_change_permission(request, customer))
        return customer  # type: ignore[no-any-return]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Filled in with what was asked, so that it can be asked anew, or saved."""
        form = super().get_form(request, obj, change=change, **kwargs)
        asked = getattr(request, "asked", None)
        return form if asked is None else partial(form, asked)


def shown_with(asked: QueryDict, request: HttpRequest) -> HttpRequest:
    """The request as a GET of the same page, by the same person, with these values in mind."""
    shown: Any = copy.copy(request)
    shown.method = "GET"
    shown.asked = asked
    return shown  # type: ignore[no-any-return]
