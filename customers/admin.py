"""The pages of the bank's staff: customers by risk, their scores, and the models that gave them."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, Model, QuerySet
from django.db.models.expressions import BaseExpression, Combinable
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from customers import failures, paused
from customers.card_html import card_html
from customers.models import (
    LARGEST_CUSTOMER_ID,
    AuditFinding,
    Customer,
    CustomerQuerySet,
    ModelRelease,
    ScoreRecord,
    ScoringFailure,
)
from customers.stored_reasons import choices, contributions_in_words, reasons_of

ENGINE_FIELDS = ("risk", "reasons", "state", "scored_at", "scored_by", "version", "scored_version", "stale_since")

Ordering = str | BaseExpression | Combinable


class RiskChangeList(ChangeList):
    """Django's own descending order puts rows without a score on top; here they come last, both ways round."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return [unscored_last(field) for field in super().get_ordering(request, queryset)]


def unscored_last(field: Ordering) -> Ordering:
    if field == "churn_risk_score":
        return F("churn_risk_score").asc(nulls_last=True)
    if field == "-churn_risk_score":
        return F("churn_risk_score").desc(nulls_last=True)
    return field


def say_if_paused(request: HttpRequest) -> None:
    """On top of the page that is about to be rendered."""
    if notice := paused.notice():
        messages.warning(request, f"{notice} Whoever is edited meanwhile waits for a score.")


def is_current(customer: Any) -> bool:
    """As ``Customer.is_current``, for rows that brought the active release with them."""
    return customer.stale_since is None and customer.scored_by_id == customer.active_release


def why_not_current(customer: Any) -> str:
    """For rows that brought their failure with them, if there is one."""
    if customer.failure_error is None:
        return "being rescored"
    if customer.failure_retry_at is None:
        return f"set aside: {customer.failure_error}"
    return f"tried again at {customer.failure_retry_at:%H:%M:%S} UTC: {customer.failure_error}"


class MainReasonFilter(admin.SimpleListFilter):
    """By what raises the risk most."""

    title = "main reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        number = self.value()
        if number not in dict(self.lookup_choices):
            return queryset
        # Of a stale score no reason is shown: it was that of other fields.
        return queryset.filter(reason_codes__0=int(number), stale_since=None)


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
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
    readonly_fields = ENGINE_FIELDS
    fieldsets = (
        (None, {"fields": ("customer_id", "surname")}),
        (
            "Behaviour: a change here is rescored at once",
            {
                "fields": (
                    ("credit_score", "age", "tenure"),
                    ("geography", "gender"),
                    ("balance", "num_of_products"),
                    ("has_cr_card", "is_active_member"),
                )
            },
        ),
        ("Churn risk: kept current by the engine", {"fields": ENGINE_FIELDS}),
    )

    @admin.display(description="Churn risk", ordering="churn_risk_score")
    def risk(self, customer: Customer) -> str:
        score = customer.churn_risk_score
        return "not scored yet" if score is None else f"{score:.1%}"

    @admin.display(description="Main reason", empty_value="")
    def main_reason(self, customer: Customer) -> str | None:
        return next((f"{reason.label} ({reason.points:+.0f})" for reason in reasons_of(customer)), None)

    @admin.display(description="Why")
    def reasons(self, customer: Customer) -> str:
        if customer.stale_since is not None or customer.contributions is None:
            return "comes with the next score"
        return ". ".join(reason.text for reason in reasons_of(customer)) or "no part of the score stands out"

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

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        return ("customer_id", *ENGINE_FIELDS) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """The engine has nothing to say of a customer who is not stored yet."""
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj else fieldsets[:-1]

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


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    """Records that the engine alone writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(ScoreRecord)
class ScoreRecordAdmin(ReadOnlyAdmin):
    list_display = (
        "scored_at",
        "customer_id",
        "previous_score",
        "score",
        "cause",
        "edited_by",
        "version",
        "scored_by",
    )
    show_full_result_count = False
    exclude = ("contributions",)  # nine bare numbers, gender's and country's among them
    readonly_fields = ("points",)

    @admin.display(description="Points of risk")
    def points(self, record: ScoreRecord) -> str:
        return "not kept" if record.contributions is None else contributions_in_words(record.contributions)


@admin.register(ModelRelease)
class ModelReleaseAdmin(ReadOnlyAdmin):
    list_display = ("id", "released_at", "sha256", "note")
    fields = ("released_at", "note", "fingerprint", "card")
    readonly_fields = ("card",)

    @admin.display(description="Model card")
    def card(self, release: ModelRelease) -> SafeString:
        return card_html({**release.metadata, "sha256": release.sha256})


@admin.register(AuditFinding)
class AuditFindingAdmin(ReadOnlyAdmin):
    list_display = ("found_at", "customer_id", "version", "stored_score", "expected_score", "release", "repaired_at")
    list_filter = (("repaired_at", admin.EmptyFieldListFilter),)


class FailureStateFilter(admin.SimpleListFilter):
    """Dead letters, or those that need nobody yet."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("set_aside", "set aside"), ("retried", "being tried again")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in ("set_aside", "retried"):
            return queryset.filter(retry_at__isnull=self.value() == "set_aside")
        return queryset


@admin.register(ScoringFailure)
class ScoringFailureAdmin(ReadOnlyAdmin):
    list_display = ("customer_id", "error", "attempts", "first_failed_at", "last_failed_at", "next_try")
    list_filter = (FailureStateFilter,)
    search_fields = ("=customer_id",)
    show_full_result_count = False
    actions = ("try_again",)

    @admin.display(description="Next try", ordering="retry_at", empty_value="set aside")
    def next_try(self, failure: ScoringFailure) -> Any:
        return failure.retry_at

    @admin.action(description="Try again now", permissions=["requeue"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[ScoringFailure]) -> None:
        number = failures.requeue(queryset.values_list("customer_id", flat=True))
        self.message_user(request, f"To be tried again now: {number}.")

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Whoever may change failures may do this with them, and nothing else."""
        return request.user.has_perm("customers.change_scoringfailure")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_requeue_permission(request)
