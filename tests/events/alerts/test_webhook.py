"""The parts of a webhook's address: each reaches the receiver, or the check says why not (test_alerts_checks.py)."""

import logging
from base64 import b64decode
from urllib.parse import unquote

import pytest

from events import jobs
from events.alerts import webhook
from events.models.alerts import Delivery
from tests.events.alerts.alerting import store, threshold
from tests.events.alerts.receiver import receiving
from tests.factories import make_customer

SECRET = "0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def secret(settings):
    settings.WEBHOOK_SECRET = SECRET


def told_by(url):
    """Path, query and headers as a receiver at this address gets them."""
    with receiving() as receiver:
        address = webhook.split(url.format(host=receiver.url.removeprefix("http://").removesuffix("/hook")))
        assert webhook.post(address, b"{}", webhook.login(address)) == 204
    [(path, headers, _body)] = receiver.requests
    return path, headers


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        ("user:secret", "user:secret"),
        ("user:p%40ss%3Aw%C3%B6rd%2F", "user:p@ss:wörd/"),
        ("jürgen:geheim", "jürgen:geheim"),
        ("us er:a+b%25".replace(" ", "%20"), "us er:a+b%"),
        ("token", "token:"),
        (":secret", ":secret"),
    ],
)
def test_a_login_is_sent_as_every_http_client_does(login, sent):
    path, headers = told_by(f"http://{login}@{{host}}/hook")
    kind, credentials = headers["authorization"].split()
    assert (kind, b64decode(credentials).decode(), path) == ("Basic", sent, "/hook")


@pytest.mark.parametrize("login", ["", "@", ":@"])
def test_without_a_login_none_is_sent(login):
    _path, headers = told_by(f"http://{login}{{host}}/hook")
    assert "authorization" not in headers


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/Prüfung/日本?straße=ß&a=1", "/Prüfung/日本?straße=ß&a=1"),
        ("/caf%C3%A9/%2F/a+b?q=%26", "/café///a+b?q=&"),
        ('/"quoted"/{id}/a|b?x=[1]'.replace("{", "{{").replace("}", "}}"), '/"quoted"/{id}/a|b?x=[1]'),
        ("?only=a-query", "/?only=a-query"),
        ("", "/"),
    ],
)
def test_a_path_in_any_script_arrives(written, meant):
    path, _headers = told_by(f"http://{{host}}{written}")
    assert path.isascii()
    assert unquote(path) == meant


@pytest.mark.django_db
def test_an_alert_is_delivered_with_login_and_signature(settings):
    with receiving() as receiver:
        settings.WEBHOOK_URL = receiver.url.replace("http://", "http://user:secret@").replace("/hook", "/prüfung")
        threshold(0.5, by_webhook=True)
        store(make_customer(), 0.9)
        assert jobs.send_alerts() == 1
    [(path, headers, _body)] = receiver.requests
    assert path == "/pr%C3%BCfung"
    assert headers["authorization"].startswith("Basic ")
    assert headers["webhook-signature"].startswith("v1,")


@pytest.mark.django_db
def test_neither_log_nor_page_tell_the_login(settings, caplog):
    settings.WEBHOOK_URL = "http://user:pass-of-the-receiver@127.0.0.1:1/hook"
    threshold(0.5, by_webhook=True)
    store(make_customer(), 0.9)
    with caplog.at_level(logging.DEBUG):
        assert jobs.send_alerts() == 0
    assert "pass-of-the-receiver" not in caplog.text + Delivery.objects.get().error
