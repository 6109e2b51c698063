"""Which machine calls: only what our own proxies have added is believed."""

import pytest
from django.test import RequestFactory

from vigilpay.access.addresses import client_address


def seen(forwarded=None, remote="10.0.0.5"):
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return client_address(RequestFactory().get("/", REMOTE_ADDR=remote, headers=headers))


@pytest.mark.parametrize("forwarded", [None, "", "203.0.113.9", "1.1.1.1, 2.2.2.2"])
def test_without_proxies_it_is_the_one_that_is_connected(settings, forwarded):
    settings.PROXIES = 0
    assert seen(forwarded) == "10.0.0.5"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),  # the first is the client's own claim
        (2, "6.6.6.6, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
        (2, "203.0.113.9", "10.0.0.5"),  # it came past one of them
        (1, "2001:db8::9", "2001:db8::9"),
        (1, "nonsense", None),
    ],
)
def test_each_proxy_of_ours_adds_one_on_the_right(settings, proxies, forwarded, address):
    settings.PROXIES = proxies
    assert seen(forwarded) == address


def test_a_server_on_a_socket_file_knows_none(settings):
    settings.PROXIES = 0
    assert seen(remote="") is None
