"""Customers who are excluded from scoring, or were for a while, by the model or by staff."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from customers.admin.customer_list.filters import ChoiceFilter
from customers.admin.lookups import customer_link, of_customer, release_link
from customers.admin.read_only import ReadOnlyAdmin
from customers.models import Exclusion, ScoringFailure, ScoringFailureQuerySet
from customers.presentation.action_log import log_action
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count
from customers.scoring import failures


class FailureStateFilter(ChoiceFilter):
    """Those who stay excluded until a person helps, and those who are tried again."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("excluded", "Excluded"), ("retry", "Retry scheduled")]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(retry_at__isnull=value == "excluded")


class ReasonFilter(ChoiceFilter):
    """By the reason. Those who wait for a model that knows a word may be many: they are listed on request alone."""

    title = "reason"
    parameter_name = "reason__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(it.value, str(it.label)) for it in (Exclusion.MODEL, Exclusion.PERSON, Exclusion.WORD)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value() and SEARCH_VAR not in request.GET:
            return queryset.exclude(reason=Exclusion.WORD)
        return super().queryset(request, queryset)

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(reason=value)


@admin.register(ScoringFailure)
class ScoringFailureAdmin(ReadOnlyAdmin):
    list_display = ("customer", "reason", "error", "attempts", "since", "state")
    list_display_links = ("state",)
    list_filter = (FailureStateFilter, ReasonFilter)
    search_fields = ("=customer_id",)
    search_help_text = "Customer ID."
    show_full_result_count = False
    actions = ("try_again",)
    fields = (
        "customer",
        "reason",
        "error",
        "attempts",
        "first_failed",
        "last_failed",
        "state",
        "data_version",
        "release",
    )
    readonly_fields = ("customer", "first_failed", "last_failed", "state", "data_version", "release")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScoringFailure]:
        return cast(ScoringFailureQuerySet, super().get_queryset(request)).of_present_life()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ScoringFailure], search_term: str
    ) -> tuple[QuerySet[ScoringFailure], bool]:
        return of_customer(queryset, search_term), False

    @admin.display(description="Customer", ordering="customer_id")
    def customer(self, failure: ScoringFailure) -> SafeString:
        return customer_link(failure.customer_id)

    @admin.display(description="Since", ordering="first_failed_at")
    def since(self, failure: ScoringFailure) -> str:
        return format_time(failure.first_failed_at)

    @admin.display(description="First recorded")
    def first_failed(self, failure: ScoringFailure) -> str:
        return format_time(failure.first_failed_at, seconds=True)

    @admin.display(description="Last recorded")
    def last_failed(self, failure: ScoringFailure) -> str:
        return format_time(failure.last_failed_at, seconds=True)

    @admin.display(description="State", ordering="retry_at")
    def state(self, failure: ScoringFailure) -> str:
        return "Excluded" if failure.retry_at is None else f"Retry on {format_time(failure.retry_at, seconds=True)}"

    @admin.display(description="Version of the customer's data")
    def data_version(self, failure: ScoringFailure) -> int:
        return failure.version

    @admin.display(description="Model release")
    def release(self, failure: ScoringFailure) -> SafeString:
        return release_link(failure.release_id)

    @admin.action(description="Retry now", permissions=["requeue"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[ScoringFailure]) -> None:
        chosen = list(queryset.values_list("customer_id", flat=True))
        number = failures.requeue(chosen)
        log_action(request, ScoringFailure, "Queued for rescoring", len(chosen), chosen)
        self.message_user(request, f"{format_count(number, 'customer', 'customers')} queued for rescoring.")
        if waiting := ScoringFailure.objects.of_words().filter(pk__in=chosen).count():
            customers = format_count(waiting, "customer was", "customers were")
            why = "not queued: the model does not know their country or gender, and a retry cannot help."
            self.message_user(request, f"{customers} {why}", messages.WARNING)

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Staff who may change failures may do this with them, and nothing else."""
        return request.user.has_perm("customers.change_scoringfailure")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_requeue_permission(request)
