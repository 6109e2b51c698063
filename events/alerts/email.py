"""An e-mail on alerts. It names customers by id alone: a reader with the right to see more sees it in the admin."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.urls import reverse

from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count, format_percent
from events.alerts import outbox
from events.alerts.outbox import DeliveryError
from events.models.alerts import Alert, AlertRule, Delivery

# So many alerts are listed one by one.
NAMED = 20


def is_configured() -> bool:
    return bool(settings.EMAIL_HOST)


def send(delivery: Delivery) -> None:
    """Hand it to the mail server; raises when it was not taken."""
    if not is_configured():
        raise DeliveryError("EMAIL_HOST is not set: no mail server is known.")
    rule = delivery.rule
    if not rule.addresses():
        raise DeliveryError("The rule no longer has an e-mail address.")
    found = outbox.alerts_of(delivery)
    alerts = format_count(found.count(), "alert", "alerts")
    EmailMessage(
        subject=f"VigilPay: {alerts}: {' '.join(rule.name.split())}",
        body=format_body(rule, found),
        to=rule.addresses(),
        # The same with every attempt: mail programs show what came twice once.
        headers={"Message-ID": f"<{delivery.key}@vigilpay>", "Auto-Submitted": "auto-generated"},
    ).send()


def format_body(rule: AlertRule, alerts: QuerySet[Alert]) -> str:
    lines = [format_alert(alert) for alert in alerts[:NAMED]]
    if (more := alerts.count() - len(lines)) > 0:
        lines.append(f"and {more:,} more")
    page = f"{settings.SITE_URL.rstrip('/')}{reverse('admin:events_alert_changelist')}"
    where = page if settings.SITE_URL else "Alerts, in the admin"
    segment = rule.describe_segment()
    condition = f"{rule.describe()} ({segment})" if segment else rule.describe()
    return "\n".join([f"{rule.name}: {condition}.", "", *lines, "", f"View and acknowledge: {where}"])


def format_alert(alert: Alert) -> str:
    before = "first score" if alert.score_before is None else f"{format_percent(alert.score_before)} before"
    return f"Customer {alert.customer_id}: {format_percent(alert.score)}, {before}; {format_time(alert.raised_at)}"
