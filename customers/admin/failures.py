"""Customers who are excluded from scoring, or were for a while, by the model or by staff."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from customers.admin.customer_list.filters import ChoiceFilter
from customers.admin.read_only import ReadOnlyAdmin
from customers.models import ScoringFailure, ScoringFailureQuerySet
from customers.presentation.action_log import log_action
from customers.scoring import failures


class FailureStateFilter(ChoiceFilter):
    """Dead letters, or those that need no attention yet."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("set_aside", "set aside"), ("retried", "being tried again")]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(retry_at__isnull=value == "set_aside")


@admin.register(ScoringFailure)
class ScoringFailureAdmin(ReadOnlyAdmin):
    list_display = ("customer_id", "reason", "error", "attempts", "first_failed_at", "last_failed_at", "next_try")
    list_filter = (FailureStateFilter, "reason")
    search_fields = ("=customer_id",)
    show_full_result_count = False
    actions = ("try_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScoringFailure]:
        return cast(ScoringFailureQuerySet, super().get_queryset(request)).of_present_life()

    @admin.display(description="Next try", ordering="retry_at", empty_value="set aside")
    def next_try(self, failure: ScoringFailure) -> Any:
        return failure.retry_at

    @admin.action(description="Try again now", permissions=["requeue"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[ScoringFailure]) -> None:
        chosen = list(queryset.values_list("customer_id", flat=True))
        number = failures.requeue(chosen)
        log_action(request, ScoringFailure, "Tried again", len(chosen), chosen)
        self.message_user(request, f"To be tried again now: {number}.")

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Staff who may change failures may do this with them, and nothing else."""
        return request.user.has_perm("customers.change_scoringfailure")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_requeue_permission(request)
