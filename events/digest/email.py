"""A digest as an e-mail. It names customers by id alone, as messages on alerts do."""

from collections.abc import Iterator

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from customers.presentation.numbers import format_count, format_money, format_percent
from events.alerts import email as alerts_email
from events.alerts.outbox import DeliveryError
from events.digest.contents import Contents, Crossing, Crossings, contents_of
from events.digest.period import Period
from events.models.digest import Digest


def send(digest: Digest) -> None:
    """Hand it to the mail server; raises when it was not taken."""
    if not alerts_email.is_configured():
        raise DeliveryError("EMAIL_HOST is not set: there is no mail server to send by.")
    if not settings.DIGEST_RECIPIENTS:
        raise DeliveryError("VIGILPAY_DIGEST_RECIPIENTS names no address.")
    period = Period(digest.kind, digest.first_day)
    EmailMessage(
        subject=f"VigilPay: churn risk, {period}",
        body=format_body(period, contents_of(period)),
        to=settings.DIGEST_RECIPIENTS,
        # The same with every attempt: mail programs show what came twice once.
        headers={"Message-ID": f"<{digest.key}@vigilpay>", "Auto-Submitted": "auto-generated"},
    ).send()


def format_body(period: Period, found: Contents) -> str:
    critical = format_percent(found.critical)
    now = [
        f"Critical customers: {found.customers_critical:,}, value at risk {format_money(found.value_at_risk)}",
        f"Open alerts: {found.open_alerts:,}",
        f"Follow-ups due: {found.follow_ups_due:,}",
    ]
    return "\n".join(
        [
            f"Churn risk, {period}",
            "",
            *format_crossings(f"Risk became critical ({critical} or more)", found.entered),
            "",
            *format_crossings("Risk is no longer critical", found.left),
            "",
            "When this message was sent:",
            *now,
            *([f"Customers: {address('customers_customer_changelist')}"] if settings.SITE_URL else []),
        ]
    )


def format_crossings(heading: str, crossings: Crossings) -> Iterator[str]:
    if not crossings.customers:
        yield f"{heading}: no customer"
        return
    because = f", {crossings.by_release:,} of them because of a new model release" if crossings.by_release else ""
    yield f"{heading}: {format_count(crossings.customers, 'customer', 'customers')}{because}"
    yield from map(format_crossing, crossings.named)
    if more := crossings.customers - len(crossings.named):
        yield f"and {more:,} more"


def format_crossing(crossing: Crossing) -> str:
    before = "first score" if crossing.before is None else format_percent(crossing.before)
    because = ", new model release" if crossing.by_release else ""
    page = f", {address('customers_customer_change', crossing.customer_id)}" if settings.SITE_URL else ""
    way = f"{before} \N{RIGHTWARDS ARROW} {format_percent(crossing.after)}"
    return f"customer {crossing.customer_id}: {way}{because}{page}"


def address(page: str, *of: int) -> str:
    return f"{settings.SITE_URL.rstrip('/')}{reverse(f'admin:{page}', args=of)}"
