"""Rules, and the alerts that they raised, for staff to acknowledge."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.admin import ChoiceFilter, ReadOnlyAdmin
from customers.admin.lookups import of_customer
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count, format_percent
from events.admin.alert_rule_form import AlertRuleForm
from events.models.alerts import Alert, AlertQuerySet, AlertRule

SEGMENT = ("geography", "is_active_member", "num_of_products", "has_cr_card", "least_balance")


@admin.register(AlertRule)
class AlertRuleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    form = AlertRuleForm
    list_display = ("name", "condition", "segment", "active", "by_email", "by_webhook")
    list_filter = ("active",)
    fieldsets = (
        (None, {"fields": ("name", "active")}),
        ("Raise an alert when", {"fields": ("kind", "threshold", "rise", "days", "counts_releases")}),
        ("Only for these customers", {"fields": SEGMENT, "description": "Leave empty for all customers."}),
        (
            "Send messages",
            {
                "fields": ("recipients", "by_webhook"),
                "description": "Alerts are listed here whether or not messages are sent.",
            },
        ),
    )

    @admin.display(description="Raised when")
    def condition(self, rule: AlertRule) -> str:
        return rule.describe()

    @admin.display(description="Customers", empty_value="All")
    def segment(self, rule: AlertRule) -> str | None:
        return rule.describe_segment() or None

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
        return [("open", "Open"), ("acknowledged", "Acknowledged")]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(acknowledged_at__isnull=value == "open")


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """To save an open alert is to acknowledge it; nothing else of it can be changed."""

    list_display = ("raised", "customer", "risk", "rule", "state", "note")
    list_filter = (StateFilter, "rule")
    list_select_related = ("rule",)
    search_fields = ("=customer_id",)
    search_help_text = "Customer ID."
    show_full_result_count = False
    list_per_page = 50
    actions = ("acknowledge",)
    readonly_fields = ("condition", "raised", "customer", "risk", "state")
    fieldsets = (
        (None, {"fields": ("customer", "risk", "condition", "raised")}),
        ("Acknowledgement", {"fields": ("state", "note")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        """Without those on customers who have objected to profiling; with surnames for staff who may see customers."""
        alerts = cast(AlertQuerySet, super().get_queryset(request)).not_objected()
        return alerts.with_surnames() if request.user.has_perm("customers.view_customer") else alerts

    @admin.display(description="Raised", ordering="raised_at")
    def raised(self, alert: Alert) -> str:
        return format_time(alert.raised_at)

    @admin.display(description="Customer", ordering="customer_id")
    def customer(self, alert: Alert) -> SafeString | str:
        """With a link for staff who may follow it, to a customer who is still there."""
        surname = getattr(alert, "surname", None)
        if surname is None:
            return str(alert.customer_id)
        page = reverse("admin:customers_customer_change", args=[alert.customer_id])
        return format_html('<a href="{}">{} · {}</a>', page, surname, alert.customer_id)

    @admin.display(description="Churn risk", ordering="score")
    def risk(self, alert: Alert) -> str:
        before = "first score" if alert.score_before is None else format_percent(alert.score_before)
        return f"{before} → {format_percent(alert.score)}"

    @admin.display(description="Rule")
    def condition(self, alert: Alert) -> str:
        segment = alert.rule.describe_segment()
        return f"{alert.rule.name}: {alert.rule.describe()}{f' ({segment})' if segment else ''}"

    @admin.display(description="State", ordering="acknowledged_at")
    def state(self, alert: Alert) -> str:
        if alert.acknowledged_at is None:
            return "Open"
        return f"Acknowledged by {alert.acknowledged_by or 'a user'}, {format_time(alert.acknowledged_at)}"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Alert], search_term: str
    ) -> tuple[QuerySet[Alert], bool]:
        return of_customer(queryset, search_term), False

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """An open alert says how it is acknowledged."""
        *others, (title, shown) = self.fieldsets
        can_save = self.has_change_permission(request, obj)
        how = {"description": "You may add a note. Saving acknowledges the alert in your name."} if can_save else {}
        return [*others, (title, {**shown, **how})]

    @admin.action(description="Acknowledge", permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Each with its entry in the log of the admin, as a save on the page has one."""
        keys = list(cast(AlertQuerySet, queryset).open().values_list("pk", flat=True))
        chosen = Alert.objects.filter(pk__in=keys)
        number = chosen.acknowledge(by=request.user.get_username())
        LogEntry.objects.log_actions(cast(int, request.user.pk), chosen, CHANGE, "Acknowledged.")
        self.message_user(request, f"{format_count(number, 'alert', 'alerts')} acknowledged.")

    def save_model(self, request: HttpRequest, obj: Alert, form: Any, change: bool) -> None:
        if Alert.objects.filter(pk=obj.pk).acknowledge(by=request.user.get_username(), note=obj.note):
            self.message_user(request, "Alert acknowledged.", messages.SUCCESS)
        else:
            self.message_user(request, "Already acknowledged by another user.", messages.WARNING)

    def response_change(self, request: HttpRequest, obj: Alert) -> HttpResponse:
        """Without Django's "was changed successfully": what happened has been said."""
        return self.response_post_save_change(request, obj)

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.acknowledge_alert")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        is_done = isinstance(obj, Alert) and obj.acknowledged_at is not None
        return self.has_acknowledge_permission(request) and not is_done

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_acknowledge_permission(request)
