"""Digests that would not be sent, found before the first is due."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004  Django's own name
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from events.alerts import email
from events.digest.period import DAYS
from events.digest.sending import OFF


@register()
def digest_can_be_sent(**kwargs: Any) -> list[CheckMessage]:
    """Recipients are addresses; a digest that is on has some, a mail server, and scores of its whole period."""
    found: list[CheckMessage] = [
        Error(f"VIGILPAY_DIGEST_RECIPIENTS: {address} is not an e-mail address.", id="events.E005")
        for address in settings.DIGEST_RECIPIENTS
        if not is_address(address)
    ]
    if settings.DIGEST == OFF:
        return found
    if not settings.DIGEST_RECIPIENTS:
        found.append(
            Error(
                "VIGILPAY_DIGEST is on, but VIGILPAY_DIGEST_RECIPIENTS names no address.",
                hint="Name at least one address, or set VIGILPAY_DIGEST to off.",
                id="events.E006",
            )
        )
    # The pruning of a day may come before the digest of it.
    if DAYS[settings.DIGEST] >= settings.HISTORY_DAYS:
        found.append(
            Error(
                f"VIGILPAY_DIGEST is {settings.DIGEST}, but scores are kept for {settings.HISTORY_DAYS} days only.",
                hint="Raise VIGILPAY_HISTORY_DAYS.",
                id="events.E007",
            )
        )
    if not email.is_configured():
        found.append(
            Warning(
                "VIGILPAY_DIGEST is on, but EMAIL_HOST is not set: no digest can be sent.",
                hint="Set EMAIL_HOST, or set VIGILPAY_DIGEST to off.",
                id="events.W003",
            )
        )
    return found


def is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
