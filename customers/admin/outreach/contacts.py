"""The list of all contacts, to be read. They are recorded on the page of the customer."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.admin.customer_list.filters import ChoiceFilter
from customers.admin.customer_list.paging import CappedPaginator
from customers.admin.lookups import is_number, of_customer
from customers.admin.read_only import ReadOnlyAdmin
from customers.models import Contact, Customer
from customers.outreach.contacts import describe_codes
from customers.presentation.bands import badge
from customers.presentation.durations import format_day, format_time


class ByFilter(ChoiceFilter):
    """The reader's own."""

    title = "recorded by"
    parameter_name = "by"
    MINE = "me"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.reader = request.user.get_username()
        return [(self.MINE, "Me")]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(by=self.reader)


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    class Media:
        css = {"all": ["customers/vigilpay.css"]}

    list_display = ("when", "by", "customer_page", "channel", "outcome", "follow_up", "risk_then")
    list_filter = (ByFilter, "outcome", "channel")
    fields = ("when", "by", "customer_page", "channel", "outcome", "follow_up", "note", "risk_then", "reasons_then")
    readonly_fields = ("when", "customer_page", "follow_up", "risk_then", "reasons_then")
    search_fields = ("customer_id",)
    search_help_text = "Customer ID or user name."
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # a count of all rows, for every choice
    paginator = CappedPaginator
    list_per_page = 50

    @admin.display(description="When", ordering="id")
    def when(self, contact: Contact) -> str:
        return format_time(contact.at)

    @admin.display(description="Customer")
    def customer_page(self, contact: Contact) -> SafeString:
        address = reverse("admin:customers_customer_change", args=[contact.customer_id])
        return format_html('<a href="{}">{}</a>', address, contact.customer_id)

    @admin.display(description="Follow-up", ordering="follow_up_on", empty_value="")
    def follow_up(self, contact: Contact) -> str | None:
        return format_day(contact.follow_up_on) if contact.follow_up_on else None

    @admin.display(description="Risk at contact", empty_value="")
    def risk_then(self, contact: Any) -> SafeString | None:
        """None of a customer who has objected to profiling since."""
        return None if contact.score is None or contact.has_objected else badge(contact.score)

    @admin.display(description="Reasons at contact", empty_value="")
    def reasons_then(self, contact: Any) -> str | None:
        return None if contact.has_objected else describe_codes(contact.reason_codes) or None

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Contacts", **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        objectors = Customer.objects.filter(pk=OuterRef("customer_id"), objected_at__isnull=False)
        return super().get_queryset(request).annotate(has_objected=Exists(objectors))  # type: ignore[no-any-return]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        return search(queryset, search_term.strip()), False


def search(contacts: QuerySet[Contact], term: str) -> QuerySet[Contact]:
    """Digits are a customer's id, all else is a user name: both by an index."""
    if term and not is_number(term):
        return contacts.filter(by=get_user_model().normalize_username(term))
    return of_customer(contacts, term)
