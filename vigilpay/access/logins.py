"""Logins that fail: counted in the database by django-axes for each account and each address, and logged.

An account is locked after ``VIGILPAY_LOGIN_FAILURES`` within the time of a lock, from whatever addresses they came; an
address after more of them, since a whole office may share one.
"""

import logging
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Sum
from django.http import HttpRequest
from django.utils import timezone

from vigilpay.access.addresses import client_address

log = logging.getLogger("vigilpay.access")


class LoginHandler(AxesDatabaseHandler):  # type: ignore[misc]  # django-axes has no type information
    """Django-axes, with a limit of its own for addresses."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Failures of this account or of this address, as parts of the account's limit: the larger one."""
        of_account, of_address = (count(attempts) for attempts in self.get_user_attempts(request, credentials))
        return max(of_account, of_address * settings.AXES_FAILURE_LIMIT // settings.LOGIN_FAILURES_PER_ADDRESS)

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """After a login: what this user has mistyped at this place is forgotten.

        Not all failures of the place, as django-axes has it: a user with an account of their own could clear the count
        while guessing the password of another.
        """
        of_account, of_address = self.filter_user_attempts(request, credentials)
        deleted, _by_model = (of_account & of_address).delete()
        return int(deleted)


def count(attempts: Any) -> int:
    return int(attempts.aggregate(total=Sum("failures_since_start"))["total"] or 0)


def prune() -> int:
    """Delete the failures whose time is over; how many they were."""
    deleted, _by_model = AccessAttempt.objects.filter(
        attempt_time__lt=timezone.now() - settings.AXES_COOLOFF_TIME
    ).delete()
    return int(deleted)


def log_failure(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Connected to Django's ``user_login_failed``."""
    log.warning("A login as %s from %s failed.", account_named(credentials.get("username")), place_of(request))


def log_lock(sender: Any, request: HttpRequest, username: str | None, **kwargs: Any) -> None:
    """Connected to django-axes' ``user_locked_out``."""
    minutes = settings.AXES_COOLOFF_TIME.total_seconds() / 60
    log.warning(
        "Too many failed logins as %s or from %s: locked for %g minutes.",
        *(account_named(username), place_of(request), minutes),
    )


def account_named(username: str | None) -> str:
    """The name only where there is such an account: what was typed there by mistake may be a password."""
    users = get_user_model()._default_manager
    return repr(username) if users.filter(username=username).exists() else "an unknown account"


def place_of(request: HttpRequest | None) -> str:
    return (request and client_address(request)) or "an unknown address"
