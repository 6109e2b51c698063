"""Set-ups whose alerts no message would report are found before there is one."""

import pytest

from events.alerts.checks import mail_is_sent_one_way, rules_can_reach_whom_they_name, webhook_can_be_called
from tests.events.alerts.alerting import threshold

pytestmark = pytest.mark.django_db

LONG_ENOUGH = "0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def nothing_set(settings):
    settings.EMAIL_HOST = settings.WEBHOOK_URL = settings.WEBHOOK_SECRET = ""


def said(check, **kwargs):
    return [message.msg for message in check(**kwargs)]


def warnings():
    return said(rules_can_reach_whom_they_name, databases=["default"])


def test_nothing_set_is_nothing_wrong():
    assert said(webhook_can_be_called) == said(mail_is_sent_one_way) == warnings() == []


@pytest.mark.parametrize(
    ("url", "secret", "fault"),
    [
        ("ftp://example.org/", LONG_ENOUGH, "must be an address"),
        ("example.org/hook", LONG_ENOUGH, "must be an address"),
        ("https:///hook", LONG_ENOUGH, "must be an address"),
        ("https://example.org:port/", LONG_ENOUGH, "must be an address"),
        ("https://[example.org/", LONG_ENOUGH, "must be an address"),
        ("https://example.org/a b", LONG_ENOUGH, "must be an address"),
        ("https://example..org/", LONG_ENOUGH, "must be an address"),
        (f"https://{'ü' * 64}.example/", LONG_ENOUGH, "must be an address"),
        ("https://user:se#cret@example.org/", LONG_ENOUGH, "must be an address"),
        ("https://example.org/#secret", LONG_ENOUGH, "write %23"),
        ("https://user:1#cret@example.org/", LONG_ENOUGH, "write %23"),  # the host would be "user"
        ("https://us%3Aer:secret@example.org/", LONG_ENOUGH, "no colon"),
        ("https://user:%FF@example.org/", LONG_ENOUGH, "percent-encoded"),
        ("https://example.org/", "", "VIGILPAY_WEBHOOK_SECRET is not"),
        ("https://example.org/", "short", "24 bytes or more"),
        ("https://example.org/", "whsec_0123456789abcdef01234567", "24 bytes or more"),  # 18 once decoded
        ("https://example.org/", "whsec_not base64 at all, and long", "24 bytes or more"),
    ],
)
def test_an_address_or_a_secret_that_cannot_work_is_an_error_that_quotes_neither(settings, url, secret, fault):
    settings.WEBHOOK_URL, settings.WEBHOOK_SECRET = url, secret
    [message] = said(webhook_can_be_called)
    assert fault in message
    assert url not in message
    assert not secret or secret not in message


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/hook?site=1",
        "http://127.0.0.1:8000/",
        "https://[::1]:8443/",
        "https://user:p%40ss%3Aw%C3%B6rd@example.org/",
        "https://bücher.example/Prüfung?straße=ß",
    ],
)
def test_good_ones_are_none(settings, url):
    settings.WEBHOOK_URL, settings.WEBHOOK_SECRET = url, LONG_ENOUGH
    assert said(webhook_can_be_called) == []


def test_production_wants_https(settings):
    settings.PRODUCTION = True
    settings.WEBHOOK_URL, settings.WEBHOOK_SECRET = "http://example.org/", LONG_ENOUGH
    [message] = said(webhook_can_be_called)
    assert message.endswith("begins with https://")


def test_mail_is_encrypted_one_way(settings):
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = True
    assert len(said(mail_is_sent_one_way)) == 1


def test_rules_that_want_what_is_not_set_up_are_named(settings):
    threshold(name="by mail", recipients="ann@example.org")
    threshold(name="by hook", by_webhook=True)
    threshold(name="of old", recipients="ann@example.org", by_webhook=True, active=False)
    threshold(name="quiet")
    assert warnings() == [
        "Alerts of by mail are to be sent by e-mail, which is not set up: they are only listed in the admin.",
        "Alerts of by hook are to be sent by webhook, which is not set up: they are only listed in the admin.",
    ]
    settings.EMAIL_HOST = "mail.example.org"
    settings.WEBHOOK_URL, settings.WEBHOOK_SECRET = "https://example.org/", LONG_ENOUGH
    assert warnings() == []
