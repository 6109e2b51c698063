"""The list of customers: who is at risk, since when, why, and how far that can be relied on."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from customers.admin.customer_list import filters
from customers.admin.customer_list.changelist import CustomerChangeList
from customers.admin.customer_list.paging import CappedPaginator
from customers.admin.customer_list.search import search
from customers.models import Customer, CustomerQuerySet
from customers.presentation.bands import badge
from customers.presentation.reasons import reasons_of
from customers.presentation.score_state import describe_score_state
from customers.presentation.sparkline import sparkline
from customers.scoring.failures import with_failure


class CustomerList(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    list_display = (
        "customer_id",
        "surname",
        "risk",
        "trend",
        "main_reason",
        "state",
        "geography",
        "age",
        "balance",
        "num_of_products",
        "is_active_member",
        "scored_at",
    )
    list_filter = (
        filters.BandFilter,
        filters.MainReasonFilter,
        filters.FreshnessFilter,
        "geography",
        "is_active_member",
        filters.ProductsFilter,
        "has_cr_card",
        filters.ReleaseFilter,
    )
    ordering = ("-churn_risk_score",)
    search_fields = ("customer_id",)
    search_help_text = "A customer id, or the beginning of a surname."
    show_full_result_count = False  # a count of all rows, at every page
    show_facets = admin.ShowFacets.NEVER  # a count of all rows, for every choice
    list_per_page = 50
    paginator = CappedPaginator

    @admin.display(description="Churn risk", ordering="churn_risk_score")
    def risk(self, customer: Customer) -> SafeString:
        return badge(customer.churn_risk_score)

    @admin.display(description="Trend", empty_value="")
    def trend(self, customer: Any) -> SafeString:
        return sparkline([] if customer.objected_at else customer.last_scores[::-1])

    @admin.display(description="Main reason", empty_value="")
    def main_reason(self, customer: Customer) -> str | None:
        return next((f"{reason.label} ({reason.points:+.0f})" for reason in reasons_of(customer)), None)

    @admin.display(description="Score is")
    def state(self, customer: Customer) -> str:
        return describe_score_state(customer)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return with_failure(cast(CustomerQuerySet, super().get_queryset(request)).with_active_release())

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CustomerChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        return search(queryset, search_term), False


def inform_where_others_are(request: HttpRequest, response: TemplateResponse) -> None:
    """On the last page of more customers than can be paged through: where the others are."""
    page = (response.context_data or {}).get("cl")
    if page and page.paginator.is_cut and page.page_num == page.paginator.num_pages:
        messages.info(
            request,
            f"The list ends here, with the first {page.paginator.most:,} customers in its order. To see others, "
            "choose a filter, search for an id or a surname, or click on a column to turn the order round.",
        )
