"""Customers in the admin: their list and the page of each are put together here, and get their messages here."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from customers.admin.customer_list.actions import CustomerActions
from customers.admin.customer_list.list import CustomerList, inform_as_of_when, inform_where_others_are
from customers.admin.customer_page import after_save
from customers.admin.customer_page.contacts import ContactsPage
from customers.admin.customer_page.page import CustomerPage
from customers.scoring import pause


def warn_if_paused(request: HttpRequest) -> None:
    """On top of the page that is about to be rendered."""
    if notice := pause.notice():
        messages.warning(request, f"{notice} New scores follow when scoring is resumed.")


class CustomerAdmin(ContactsPage, CustomerActions, CustomerList, CustomerPage):
    """Registered by ``events/admin/customers.py``, with the alerts, of which this package knows nothing."""

    class Media:
        css = {"all": ("customers/vigilpay.css",)}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """With all messages of the list: after a save, where the list is cut off, and while scoring is paused."""
        if request.method == "GET":
            after_save.report(request)
        response = super().changelist_view(request, {"title": "Customers", **(extra_context or {})})
        if isinstance(response, TemplateResponse):  # before a redirect they would be shown twice
            inform_where_others_are(request, response)
            inform_as_of_when(request, response)
            warn_if_paused(request)
        return response

    def render_change_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        warn_if_paused(request)
        return super().render_change_form(request, *args, **kwargs)
