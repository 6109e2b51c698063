"""The audit trail, to be read: who has seen or changed what, found by a customer's id or by the actor."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest

from customers.admin import ReadOnlyAdmin
from customers.admin.customer_list.paging import CappedPaginator
from customers.admin.lookups import is_number, typed_id
from customers.presentation.durations import format_time
from vigilpay.trail.models import USER, TrailEntry, TrailEntryQuerySet

IDS_SHOWN = 5


@admin.register(TrailEntry)
class TrailEntryAdmin(ReadOnlyAdmin):
    list_display = ("when", "who", "purpose", "customers", "outcome")
    list_filter = ("purpose", "refused")
    search_fields = ("customer_ids",)
    search_help_text = "Customer ID, user name or actor, for example user:5 or token:3."
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # a count of all rows, for every choice
    paginator = CappedPaginator
    list_per_page = 50
    fields = ("when", "who", "purpose", "outcome", "customer_ids", "erased", "address")
    readonly_fields = ("when", "who", "outcome")

    @admin.display(description="When", ordering="at")
    def when(self, entry: TrailEntry) -> str:
        return format_time(entry.at)

    @admin.display(description="Outcome")
    def outcome(self, entry: TrailEntry) -> str:
        return "Refused" if entry.refused else "Done"

    @admin.display(description="Who", ordering="actor")
    def who(self, entry: TrailEntry) -> str:
        return entry.describe_actor()

    @admin.display(description="Customers")
    def customers(self, entry: TrailEntry) -> str:
        shown = ", ".join(map(str, entry.customer_ids[:IDS_SHOWN]))
        more = len(entry.customer_ids) - IDS_SHOWN
        erased = f" ({len(entry.erased)} erased since then)" if entry.erased else ""
        return f"{shown}{f' and {more} more' if more > 0 else ''}{erased}".strip()

    def get_queryset(self, request: HttpRequest) -> QuerySet[TrailEntry]:
        entries: Any = super().get_queryset(request)
        return entries.with_user_names()  # type: ignore[no-any-return]

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[TrailEntry], bool]:
        return search(queryset, search_term.strip()), False


def search(entries: TrailEntryQuerySet, term: str) -> TrailEntryQuerySet:
    """Digits are a customer's id, all else is an actor: both by an index."""
    if not term:
        return entries
    if is_number(term):
        customer_id = typed_id(term)
        return entries.none() if customer_id is None else entries.about(customer_id)
    user = get_user_model()._default_manager.filter(**{get_user_model().USERNAME_FIELD: term}).first()
    return entries.filter(actor=f"{USER}{user.pk}" if user else term)
