"""The JSON views of the engine as monitors see them."""

from dataclasses import asdict

import pytest
from django.db import OperationalError
from django.urls import reverse

from events import views
from events.freshness import queries
from tests.factories import make_customer, make_scored
from tests.staff import with_token

pytestmark = pytest.mark.django_db

ADDRESS = "/events/freshness/"


@pytest.fixture(autouse=True)
def asked_for_the_first_time(monkeypatch):
    monkeypatch.setattr(queries._recent, "_answer", None)


def test_it_answers_with_all_that_is_known(client):
    make_scored()
    make_customer()
    response = client.get(ADDRESS)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert response.json().keys() == asdict(queries.freshness()).keys()
    assert (response.json()["customers"], response.json()["stale_count"]) == (2, 1)


def test_its_address_can_be_reversed():
    assert reverse("events:freshness") == ADDRESS


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "options"])
def test_other_methods_are_refused_in_json(client, method):
    response = getattr(client, method)(ADDRESS)
    assert response.status_code == 405
    assert "use GET" in response.json()["error"]


def test_where_a_login_is_needed_it_is_needed_here_too(client, settings):
    settings.API_LOGIN_REQUIRED = True
    assert client.get(ADDRESS).status_code == 401
    assert with_token("operate").get(ADDRESS).status_code == 200


def test_a_database_that_can_not_tell_is_said_in_json(client, monkeypatch):
    def no_answer():
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(views, "recent_freshness", no_answer)
    response = client.get(ADDRESS)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response.json().keys() == {"error"}
