"""What the score would be with other values: a page of its own, beside that of the customer. Nothing is stored."""

import copy
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import URLPattern, path

from customers.admin.customer_page.facts import CustomerFacts
from customers.admin.customer_page.form import CustomerForm
from customers.models import Customer

URL_NAME = "customers_customer_what_if"


class WhatIfPage(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    """A page of a customer that can be asked with other values, by all staff who may see it.

    Its fields and its one button have a form of their own, which leads back to this page: Enter in a field asks, and
    can save nothing. Forms can't be nested, so they cannot stand on the page that saves.
    """

    form = CustomerForm

    def get_urls(self) -> list[URLPattern]:
        return [
            path("<path:object_id>/what-if/", self.admin_site.admin_view(self.what_if_view), name=URL_NAME),
            *super().get_urls(),
        ]

    def what_if_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Always by Django's own view as it answers a GET: it saves upon POST alone."""
        asking: Any = copy.copy(request)
        asking.method = "GET"
        asking.is_what_if = True
        asking.asked = request.POST if request.method == "POST" else None
        return self.changeform_view(asking, object_id, form_url=request.path)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Customer | None:
        """With the facts of the page, as its fields are rendered from the customer alone."""
        customer: Any = super().get_object(request, object_id, from_field)
        if customer is not None:
            # A copy: a form that is shown again has its fields' new values on the instance already.
            asked: QueryDict | None = getattr(request, "asked", None)
            customer.facts = CustomerFacts(copy.copy(customer), request.user, asked)
        return customer  # type: ignore[no-any-return]


def is_what_if(request: HttpRequest) -> bool:
    return getattr(request, "is_what_if", False)
