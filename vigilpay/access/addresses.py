"""From which machine a request comes."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The caller's address; None where no server or proxy names one, as on a socket file.

    Any client may send ``X-Forwarded-For``, and each proxy adds on the right the address that called it. So the last
    entries count, one for each proxy of ours (``VIGILPAY_PROXIES``), and without proxies none does.
    """
    passed_on = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    is_passed_on = 0 < settings.PROXIES <= len(passed_on)
    found = passed_on[-settings.PROXIES] if is_passed_on else request.META.get("REMOTE_ADDR", "")
    try:
        return str(ip_address(found.strip()))
    except ValueError:
        return None
