"""Customers in the admin, with the alerts on them: the customers' own pages know nothing of alerts."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.admin.customer_page import after_save
from customers.admin.customers import CustomerAdmin
from customers.models import Customer
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_percent
from events.models import Alert

MOST = 5  # of a customer's page; all are in the list of alerts
ALERTS = "alerts"


@admin.register(Customer)
class CustomerAdminWithAlerts(CustomerAdmin):
    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), ALERTS) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """With the customer's alerts beside the score, for staff who may see alerts."""
        found = super().get_fieldsets(request, obj)
        if obj is None or obj.objected_at is not None or not may_see_alerts(request):
            return found
        return [with_alerts(section) for section in found]

    @admin.display(description="Alerts")
    def alerts(self, customer: Customer) -> SafeString | str:
        found = Alert.objects.filter(customer_id=customer.pk).select_related("rule")
        shown = list(found[: MOST + 1])
        if not shown:
            return "No alert was raised on this customer."
        lines = format_html_join("", "<li>{}</li>", ((describe_alert(alert),) for alert in shown[:MOST]))
        more = format_html("<li>{}</li>", link_to(customer, "All alerts")) if len(shown) > MOST else ""
        return format_html('<div class="vp-block"><ul>{}{}</ul></div>', lines, more)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        saved = saved_customer(request)
        response = super().changelist_view(request, extra_context)
        report_alerts(request, saved)
        return response

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        saved = saved_customer(request)
        response = super().changeform_view(request, *args, **kwargs)
        report_alerts(request, saved)
        return response


def with_alerts(section: Any) -> Any:
    """The section that shows the score ends with the alerts; every other one stays as it is."""
    name, options = section
    return (name, {**options, "fields": (*options["fields"], ALERTS)}) if is_about_the_score(options) else section


def is_about_the_score(options: Any) -> bool:
    return "churn_risk" in options["fields"]


def saved_customer(request: HttpRequest) -> int | None:
    """The customer whose save this page is going to report, if it is."""
    awaited = request.session.get(after_save.AWAITED) if request.method == "GET" else None
    return awaited["customer"] if awaited else None


def report_alerts(request: HttpRequest, saved: int | None) -> None:
    """Below what became of the score: the alerts that it has raised."""
    if saved is not None and may_see_alerts(request):
        for alert in alerts_of_newest_score(saved):
            messages.warning(request, f"Alert raised for customer {saved}: {alert.rule.name}.")


def alerts_of_newest_score(customer_id: int) -> QuerySet[Alert]:
    """Raised by the score of the customer's present version: none while that is pending."""
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        return Alert.objects.none()
    records = after_save.record_of(customer).values("pk")
    return Alert.objects.filter(customer_id=customer_id, record_id__in=records).select_related("rule")


def describe_alert(alert: Alert) -> SafeString:
    """With a link to its page."""
    state = f"acknowledged by {alert.acknowledged_by}" if alert.acknowledged_at else "open"
    return format_html(
        '<a href="{}">{}</a>, {}: {} ({})',
        reverse("admin:events_alert_change", args=[alert.pk]),
        alert.rule.name,
        format_time(alert.raised_at),
        format_percent(alert.score),
        state,
    )


def link_to(customer: Customer, words: str) -> SafeString:
    """To all alerts on this customer."""
    return format_html('<a href="{}?q={}">{}</a>', reverse("admin:events_alert_changelist"), customer.pk, words)


def may_see_alerts(request: HttpRequest) -> bool:
    """As ``AlertAdmin`` lets them in."""
    return any(request.user.has_perm(f"events.{may}_alert") for may in ("view", "acknowledge"))
