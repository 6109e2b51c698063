"""Alerts that no message would report, found before they are raised."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  Django's own name
from django.db.models import Q

from events.alerts import email, webhook
from events.alerts.outbox import DeliveryError
from events.models.alerts import AlertRule
from events.triggers.installation import migrated

SHORTEST_SECRET = 24


@register()
def webhook_can_be_called(**kwargs: Any) -> list[CheckMessage]:
    """Address and secret as they have to be. Neither is ever quoted."""
    faults = []
    if settings.WEBHOOK_URL:
        try:
            webhook.split(settings.WEBHOOK_URL)
        except DeliveryError as error:
            faults.append(str(error))
        if not settings.WEBHOOK_SECRET:
            faults.append(
                "VIGILPAY_WEBHOOK_URL is set, but VIGILPAY_WEBHOOK_SECRET is not: requests could not be signed."
            )
    if settings.WEBHOOK_SECRET and not is_good(settings.WEBHOOK_SECRET):
        expected = f"{SHORTEST_SECRET} bytes or more, and base64 after {webhook.ENCODED_SECRET}"
        faults.append(f"VIGILPAY_WEBHOOK_SECRET must be {expected}.")
    return [Error(fault, id="events.E003") for fault in faults]


def is_good(secret: str) -> bool:
    try:
        return len(webhook.key_bytes(secret)) >= SHORTEST_SECRET
    except ValueError:
        return False


@register()
def mail_is_sent_one_way(**kwargs: Any) -> list[CheckMessage]:
    if not (settings.EMAIL_USE_TLS and settings.EMAIL_USE_SSL):
        return []
    return [
        Error(
            "EMAIL_USE_TLS and EMAIL_USE_SSL are both on: set only one of them.",
            hint="Ask the operator of the mail server: EMAIL_USE_TLS is STARTTLS, usually on port 587; "
            "EMAIL_USE_SSL is usually on port 465.",
            id="events.E004",
        )
    ]


@register(Tags.database)
def rules_can_reach_whom_they_name(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Rules that want a message for which the settings are missing."""
    return [message for alias in databases or () if migrated(alias) for message in unreachable(alias)]


def unreachable(alias: str) -> list[CheckMessage]:
    ways = [
        ("e-mail", ~Q(recipients=""), email.is_configured(), "Set EMAIL_HOST, or remove the addresses from the rules."),
        (
            "webhook",
            Q(by_webhook=True),
            webhook.is_configured(),
            "Set VIGILPAY_WEBHOOK_URL and VIGILPAY_WEBHOOK_SECRET, or untick the webhook in the rules.",
        ),
    ]
    return [
        Warning(
            f"Alerts of {names} are to be sent by {way}, which is not set up: they are only listed in the admin.",
            hint=hint,
            id="events.W002",
        )
        for way, wanted, is_set_up, hint in ways
        if not is_set_up
        and (
            names := ", ".join(
                AlertRule.objects.using(alias).filter(wanted, active=True).values_list("name", flat=True)
            )
        )
    ]
