"""The OpenAPI document: complete, and true of every answer that a generator of requests can get out of the site."""

import re

import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver

from customers.api.schemas import schema_of
from events.freshness.answer import Freshness
from vigilpay.web.openapi import ERRORS, document

pytestmark = pytest.mark.django_db

OPEN = {"/", "/health/live", "/health/ready"}


def addresses(patterns, before=""):
    """Every address of the site as OpenAPI writes it, the admin's left out."""
    for it in patterns:
        if isinstance(it, URLResolver) and it.app_name != admin.site.name:
            yield from addresses(it.url_patterns, f"{before}{it.pattern}")
        elif isinstance(it, URLPattern):
            yield re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", f"/{before}{it.pattern}")


def test_it_has_every_address_outside_the_admin_and_no_other():
    assert set(document()["paths"]) == set(addresses(get_resolver().url_patterns))


def test_it_is_served_as_json(client):
    response = client.get("/openapi.json")
    assert response["Content-Type"] == "application/json"
    assert response.json() == document()
    assert response.json()["openapi"].startswith("3.1")


def test_the_house_lists_every_address_by_its_name(client):
    links = client.get("/").json()["links"]
    assert set(links.values()) == {"/admin/", *document()["paths"]} - {"/"}
    assert links["at_risk"] == "/customers/at-risk/"
    assert links["openapi"] == "/openapi.json"


def operations():
    return [(path, method, it) for path, item in document()["paths"].items() for method, it in item.items()]


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_each_operation_names_its_errors_by_what_is_said_of_them(path, method, operation):
    statuses = set(map(int, operation["responses"])) - {200}
    assert statuses <= set(ERRORS)
    assert 405 in statuses
    assert (401 in statuses) == (403 in statuses) == (path not in OPEN)


def test_a_login_or_a_token_is_asked_for_everywhere_but_at_the_door():
    assert document()["security"] == [{"session": []}, {"token": []}]
    assert {path for path, _method, it in operations() if it.get("security") == []} == OPEN


def test_freshness_is_described_by_its_own_type():
    assert set(schema_of(Freshness)["properties"]) == set(Freshness.__dataclass_fields__)


def test_a_type_that_is_not_known_has_no_schema():
    with pytest.raises(TypeError, match="bytes"):
        schema_of(bytes)
