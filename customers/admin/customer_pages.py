"""The list of customers; the page of each is in ``customer_page.py``."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from customers import paused
from customers.admin.customer_page import CustomerPage
from customers.admin.filters import MainReasonFilter
from customers.admin.freshness import is_current, why_not_current
from customers.admin.risk_order import RiskChangeList
from customers.models import LARGEST_CUSTOMER_ID, Customer, CustomerQuerySet
from customers.stored_reasons import reasons_of


def say_if_paused(request: HttpRequest) -> None:
    """On top of the page that is about to be rendered."""
    if notice := paused.notice():
        messages.warning(request, f"{notice} Whoever is edited meanwhile waits for a score.")


@admin.register(Customer)
class CustomerAdmin(CustomerPage):
    list_display = (
        "customer_id",
        "surname",
        "risk",
        "main_reason",
        "state",
        "geography",
        "age",
        "balance",
        "num_of_products",
        "is_active_member",
        "scored_at",
    )
    list_filter = (MainReasonFilter, "geography", "is_active_member", "num_of_products")
    ordering = ("-churn_risk_score",)
    search_fields = ("customer_id",)
    search_help_text = "A customer id, or the beginning of a surname."
    show_full_result_count = False  # a count of all rows, at every page
    list_per_page = 50

    class Media:
        css = {"all": ("customers/vigilpay.css",)}

    @admin.display(description="Churn risk", ordering="churn_risk_score")
    def risk(self, customer: Customer) -> str:
        score = customer.churn_risk_score
        return "not scored yet" if score is None else f"{score:.1%}"

    @admin.display(description="Main reason", empty_value="")
    def main_reason(self, customer: Customer) -> str | None:
        return next((f"{reason.label} ({reason.points:+.0f})" for reason in reasons_of(customer)), None)

    @admin.display(description="Score is")
    def state(self, customer: Customer) -> str:
        return "current" if is_current(customer) else why_not_current(customer)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return cast(CustomerQuerySet, super().get_queryset(request)).with_active_release().with_failure()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse):  # before a redirect it would be said twice
            say_if_paused(request)
        return response

    def render_change_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        say_if_paused(request)
        return super().render_change_form(request, *args, **kwargs)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RiskChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        """Digits are an id, looked up by the key; Django's own search would compare every row's id as text."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.isdecimal():
            # By length first: Python refuses to read thousands of digits.
            fits = len(term) <= len(str(LARGEST_CUSTOMER_ID)) and int(term) <= LARGEST_CUSTOMER_ID
            return queryset.filter(pk=int(term)) if fits else queryset.none(), False
        return queryset.filter(surname__istartswith=term), False
