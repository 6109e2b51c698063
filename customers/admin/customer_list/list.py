"""The list of customers: who is at risk, since when, why, and how far that can be relied on."""

from typing import Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.admin.customer_list import contact_filters, filters
from customers.admin.customer_list.changelist import CustomerChangeList
from customers.admin.customer_list.paging import CappedPaginator
from customers.admin.customer_list.search import search
from customers.ml_service.messages import format_points
from customers.models import Customer, CustomerQuerySet
from customers.portfolio import moves
from customers.presentation.bands import badge
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_amount
from customers.presentation.reasons import reasons_of
from customers.presentation.score_state import NOT_SCORED_YET, UP_TO_DATE, describe_score_state
from customers.presentation.sparkline import sparkline
from customers.scoring.failures import with_failure


class CustomerList(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    list_display = (
        "customer",
        "risk",
        "trend",
        "change",
        "main_reason",
        "value",
        "balance_amount",
        "num_of_products",
        "is_active_member",
        "age",
        "geography",
        "last_contact",
    )
    # An index has these two orders; any other reads and sorts the whole portfolio.
    sortable_by = ("risk", "value")
    list_filter = (
        filters.BandFilter,
        filters.ChangeFilter,
        contact_filters.ContactFilter,
        filters.MainReasonFilter,
        filters.ScoreFilter,
        filters.CountryFilter,
        filters.ProductsFilter,
        "is_active_member",
        "has_cr_card",
        filters.ReleaseFilter,
    )
    ordering = ("-churn_risk_score",)
    search_fields = ("customer_id",)
    search_help_text = "Customer ID, external ID, or the first letters of a surname."
    show_full_result_count = False  # a count of all rows, at every page
    show_facets = admin.ShowFacets.NEVER  # a count of all rows, for every choice
    list_per_page = 50
    list_max_show_all = 0  # a link to what the page shows already, or to more than a page should hold
    paginator = CappedPaginator

    @admin.display(description="Customer")
    def customer(self, customer: Customer) -> SafeString:
        return format_html(
            '<span class="vp-name">{}</span> <span class="vp-quiet">{}</span>',
            customer.surname or "Customer",
            customer.pk,
        )

    @admin.display(description="Churn risk", ordering="churn_risk_score")
    def risk(self, customer: Customer) -> SafeString:
        """With the state of the score below it unless that is up to date, or said by the badge."""
        state = describe_score_state(customer)
        shown = badge(customer.churn_risk_score, missing=NOT_SCORED_YET if state == NOT_SCORED_YET else "No score")
        if state in (UP_TO_DATE, NOT_SCORED_YET):
            return shown
        return format_html('{} <span class="vp-state" title="{}">{}</span>', shown, state, state)

    @admin.display(description="Trend", empty_value="")
    def trend(self, customer: Any) -> SafeString:
        return sparkline([] if customer.objected_at else customer.last_scores[::-1])

    @admin.display(description=f"{moves.window_days()} days", empty_value="")
    def change(self, customer: Any) -> SafeString | None:
        """In percentage points, since the score that the days began with, or since the first one within them."""
        now, before = customer.churn_risk_score, customer.score_before
        if now is None:
            return None
        points = round(100 * (now - (now if before is None else before)), 1)
        words = f"{points:+.1f}" if points else "0.0"
        way = "vp-risen" if points >= moves.RISEN_POINTS else "vp-steady"
        return format_html('<span class="{}" title="{}">{}</span>', way, format_points(points), words)

    @admin.display(description="Main reason", empty_value="")
    def main_reason(self, customer: Customer) -> SafeString | None:
        reason = next(iter(reasons_of(customer)), None)
        if reason is None:
            return None
        return format_html('<span title="{0}">{0}</span>', f"{reason.label}: {format_points(reason.points, 0)}")

    @admin.display(description=f"Value at risk ({settings.CURRENCY})", ordering="value_at_risk")
    def value(self, customer: Customer) -> str | None:
        return None if customer.value_at_risk is None else format_amount(customer.value_at_risk)

    @admin.display(description=f"Balance ({settings.CURRENCY})")
    def balance_amount(self, customer: Customer) -> str:
        return format_amount(customer.balance)

    @admin.display(description="Last contact", empty_value="")
    def last_contact(self, customer: Customer) -> SafeString | None:
        """The day; what came of it when pointed at."""
        words = contact_filters.last_contact(customer)
        return None if words is None else format_html('<span title="{}">{}</span>', words, words.partition(":")[0])

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
            f"This list ends with the first {page.paginator.most:,} customers in this order. To see more, choose a "
            "filter, search for a customer ID or a surname, or reverse the order.",
        )


def inform_as_of_when(request: HttpRequest, response: TemplateResponse) -> None:
    """On a list by what has changed: when that was looked for."""
    page = (response.context_data or {}).get("cl")
    if page is None or filters.ChangeFilter.parameter_name not in page.filter_params:
        return
    searched_at = moves.searched_at()
    if searched_at is None:
        messages.warning(request, "Changes have not been determined yet; they are updated every minute.")
    else:
        messages.info(
            request, f"Changes up to {format_time(searched_at)}. Later changes are included at the next update."
        )
