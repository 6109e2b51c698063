"""Rules, and the alerts that they raised, for staff to acknowledge."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.admin import ChoiceFilter, ReadOnlyAdmin
from events.models.alerts import Alert, AlertQuerySet, AlertRule

SEGMENT = ("geography", "is_active_member", "num_of_products", "has_cr_card", "least_balance")


@admin.register(AlertRule)
class AlertRuleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    list_display = ("name", "active", "kind", "threshold", "rise", "days", "geography", "by_email", "by_webhook")
    list_filter = ("active",)
    fieldsets = (
        (None, {"fields": ("name", "active")}),
        ("When", {"fields": ("kind", "threshold", ("rise", "days"), "counts_releases")}),
        ("Only for: leave empty for everybody", {"fields": SEGMENT}),
        ("Who is told, besides the list of alerts", {"fields": ("recipients", "by_webhook")}),
    )

    @admin.display(description="E-mail", boolean=True)
    def by_email(self, rule: AlertRule) -> bool:
        return bool(rule.addresses())

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Its alerts name it; and a score may be compared with it at this moment. Make it inactive."""
        return False


class StateFilter(ChoiceFilter):
    """What there is to do, or what was done."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "open"), ("acknowledged", "acknowledged")]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(acknowledged_at__isnull=value == "open")


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """To save an open alert is to acknowledge it; nothing else of it can be changed."""

    list_display = ("raised_at", "rule", "customer", "before", "after", "state", "acknowledged_by", "note")
    list_filter = (StateFilter, "rule")
    list_select_related = ("rule",)
    search_fields = ("=customer_id",)
    search_help_text = "A customer id."
    show_full_result_count = False
    list_per_page = 50
    actions = ("acknowledge",)
    readonly_fields = ("raised_at", "rule", "customer", "before", "after", "acknowledged_at", "acknowledged_by")
    fieldsets = (
        (None, {"fields": ("rule", "raised_at", "customer", ("before", "after"))}),
        ("Acknowledged: save to do that", {"fields": ("note", "acknowledged_at", "acknowledged_by")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        """Without those on customers who have objected to profiling."""
        return cast(AlertQuerySet, super().get_queryset(request)).not_objected()

    @admin.display(description="Customer", ordering="customer_id")
    def customer(self, alert: Alert) -> SafeString:
        page = reverse("admin:customers_customer_change", args=[alert.customer_id])
        return format_html('<a href="{}">{}</a>', page, alert.customer_id)

    @admin.display(description="Score before", ordering="score_before", empty_value="none")
    def before(self, alert: Alert) -> str | None:
        return None if alert.score_before is None else f"{alert.score_before:.1%}"

    @admin.display(description="Score", ordering="score")
    def after(self, alert: Alert) -> str:
        return f"{alert.score:.1%}"

    @admin.display(description="State", ordering="acknowledged_at")
    def state(self, alert: Alert) -> str:
        return "open" if alert.acknowledged_at is None else f"acknowledged {alert.acknowledged_at:%Y-%m-%d %H:%M}"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Alert], search_term: str
    ) -> tuple[QuerySet[Alert], bool]:
        """By the index on the id; Django's own search would compare every row's id as text."""
        term = search_term.strip()
        if not term:
            return queryset, False
        is_id = term.isascii() and term.isdecimal() and len(term) <= 18
        return (queryset.filter(customer_id=int(term)) if is_id else queryset.none()), False

    @admin.action(description="Acknowledge", permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Each with its entry in the log of the admin, as a save on the page has one."""
        keys = list(cast(AlertQuerySet, queryset).open().values_list("pk", flat=True))
        chosen = Alert.objects.filter(pk__in=keys)
        number = chosen.acknowledge(by=request.user.get_username())
        LogEntry.objects.log_actions(cast(int, request.user.pk), chosen, CHANGE, "Acknowledged.")
        self.message_user(request, f"Acknowledged: {number:,}.")

    def save_model(self, request: HttpRequest, obj: Alert, form: Any, change: bool) -> None:
        if not Alert.objects.filter(pk=obj.pk).acknowledge(by=request.user.get_username(), note=obj.note):
            self.message_user(request, "Somebody else has acknowledged it meanwhile.", messages.WARNING)

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.acknowledge_alert")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        is_done = isinstance(obj, Alert) and obj.acknowledged_at is not None
        return self.has_acknowledge_permission(request) and not is_done

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_acknowledge_permission(request)
