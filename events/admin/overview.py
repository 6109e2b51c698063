"""The overview: one page of the admin that only reads, on top of the others."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString

from customers.admin import ReadOnlyAdmin
from customers.models import Customer
from events.freshness import queries
from events.models.engine import Overview
from events.overview import counting, html
from events.overview.figures import Figures

THE_ONLY_ONE = "1"
NOT_COUNTED = "The customers are being counted for the first time: load this page again in a moment."
TOO_MANY = "So many scores have changed of late that telling who moved most took too long. It is tried again."

Section = tuple[str | None, dict[str, Any]]


@admin.register(Overview)
class OverviewAdmin(ReadOnlyAdmin):
    """Its fieldsets have no fields: their descriptions are the page."""

    class Media:
        css = {"all": ["customers/vigilpay.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is one overview."""
        return redirect("admin:events_overview_change", THE_ONLY_ONE)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "title": "Overview", "subtitle": None}
        return super().change_view(request, object_id, form_url, context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Overview | None:
        return (counting.shown() or Overview()) if object_id == THE_ONLY_ONE else None

    def get_fields(self, request: HttpRequest, obj: Overview | None = None) -> Any:
        return ()

    def get_fieldsets(self, request: HttpRequest, obj: Overview | None = None) -> Any:
        return sections(request, obj) if obj is not None and obj.figures else [section(None, NOT_COUNTED)]


def sections(request: HttpRequest, found: Overview) -> list[Section]:
    """The page from top to bottom. A user who may not see customers sees none by name."""
    figures = Figures.from_json(found.figures)
    now = queries.freshness_of(figures.portfolio, figures.lag, found.counted_at)
    may_see = request.user.has_perm("customers.view_customer")
    return [
        section(None, html.state_section(found, now, is_due=counting.is_due(found))),
        section("Customers by risk", html.risk_section(figures.distribution, with_links=may_see)),
        *(movers_sections(figures) if may_see else []),
        section("Freshness and health", html.freshness_section(now)),
    ]


def movers_sections(figures: Figures) -> list[Section]:
    if not figures.movers:
        return [section("Movers", TOO_MANY)]
    ids = {one.customer_id for window in figures.movers for one in [*window.risers, *window.fallers]}
    customers = list(Customer.objects.filter(pk__in=ids).only("surname", "objected_at"))  # those still there
    surnames = {customer.pk: customer.surname for customer in customers}
    objected = {customer.pk for customer in customers if customer.objected_at is not None}  # since the count
    return [
        section(
            f"Movers of the last {'day' if window.days == 1 else f'{window.days} days'}",
            html.movers_section(window.without(objected), surnames),
        )
        for window in figures.movers
    ]


def section(title: str | None, content: str | SafeString) -> Section:
    return title, {"fields": (), "description": content}
