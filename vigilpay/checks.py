"""Deployments that must not start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.security)
def production_asks_for_login(**kwargs: Any) -> list[CheckMessage]:
    """Refuse a production set-up whose JSON views answer without a login."""
    if not settings.PRODUCTION or settings.API_LOGIN_REQUIRED:
        return []
    return [
        Error(
            "VIGILPAY_ENV=production, but the JSON views ask for no login.",
            hint="Remove VIGILPAY_API_LOGIN from the environment: it is on by default in production.",
            id="vigilpay.E001",
        )
    ]
