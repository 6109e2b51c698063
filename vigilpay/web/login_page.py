"""The admin's login page where too many logins have failed: django-axes counts them, ``vigilpay/access/logins.py``."""

from math import ceil
from typing import Any

from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from customers.api.responses import error
from customers.presentation.numbers import format_count
from vigilpay.web.access import in_admin


class LoginForm(AdminAuthenticationForm):
    """Django's own, which says why a right password does not help."""

    def get_invalid_login_error(self) -> ValidationError:
        if getattr(self.request, "axes_locked_out", False):
            return ValidationError(locked_message(), code="locked")
        return super().get_invalid_login_error()


def locked_message() -> str:
    minutes = settings.AXES_COOLOFF_TIME.total_seconds() / 60
    wait = format_count(ceil(minutes), "minute", "minutes")
    return f"Too many failed logins. Try again in {wait}, or ask an administrator."


def answer_locked(request: HttpRequest, response: HttpResponse, credentials: Any = None) -> HttpResponse:
    """Django-axes' ``AXES_LOCKOUT_CALLABLE``: the admin's own page, as 429."""
    if in_admin(request):
        response.status_code = 429
    else:
        response = error(429, locked_message())
    response["Retry-After"] = str(round(settings.AXES_COOLOFF_TIME.total_seconds()))
    return response
