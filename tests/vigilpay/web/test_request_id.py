"""Each request has a name: the caller's if it is well formed, in the answer and while it is answered."""

import logging

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

from vigilpay import urls
from vigilpay.web import request_id

log = logging.getLogger("vigilpay.tests")


def name(request):
    return HttpResponse(request_id.current())


def crash(request):
    raise RuntimeError


urlpatterns = [
    path("name/", name, name="name"),
    path("crash/", crash, name="crash"),
    path("", include(urls.urlpatterns)),
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture(autouse=True)
def open_to_all(settings):
    settings.OPEN_ADDRESSES = ["name", "crash"]


def ask(address="/name/", **headers):
    return Client(raise_request_exception=False).get(address, headers=headers)


@pytest.mark.parametrize("given", ["a", "7f3c-11", "trace:4b/9+z=@.host_1", "x" * 64])
def test_a_well_formed_one_is_taken(given):
    response = ask(**{"x-request-id": given})
    assert response["X-Request-Id"] == response.content.decode() == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', "a\tb", "a,b", "é", "a;b", "{}"])
def test_another_is_replaced(given):
    response = ask(**{"x-request-id": given})
    assert response["X-Request-Id"] == response.content.decode() != given
    assert len(response["X-Request-Id"]) == 32


def test_without_one_each_request_gets_its_own():
    assert ask()["X-Request-Id"] != ask()["X-Request-Id"]


@pytest.mark.parametrize("address", ["/", "/nowhere/", "/admin/login/", "/admin/", "/crash/", "/customers/analyze/1/"])
def test_every_answer_has_it(address):
    assert ask(address, **{"x-request-id": "mine"})["X-Request-Id"] == "mine"


def test_a_wrong_host_is_told_it_too():
    assert Client(SERVER_NAME="elsewhere.example").get("/", headers={"x-request-id": "mine"})["X-Request-Id"] == "mine"


def test_outside_of_a_request_there_is_none():
    ask()
    assert request_id.current() == ""
