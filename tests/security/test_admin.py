"""Every address of the admin, found in the URL conf, before callers who have no business there.

What each role may do there is in ``tests/vigilpay/test_roles.py``.
"""

import re

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import URLResolver, get_resolver

from tests.factories import make_scored
from tests.staff import bearer, logged_in, superuser, with_token
from vigilpay.access import tokens
from vigilpay.models import Scope

pytestmark = pytest.mark.django_db

LOGIN, LOGOUT = "/admin/login/", "/admin/logout/"
# Of no model: each member of the staff has these.
FOR_ALL_STAFF = {
    *("/admin/", LOGIN, LOGOUT, "/admin/password_change/", "/admin/password_change/done/", "/admin/jsi18n/"),
}
VALUES = {"app_label": "customers", "url": "nowhere"}  # of parameters in addresses; all others are 1


def addresses():
    [site] = [it for it in get_resolver().url_patterns if getattr(it, "namespace", "") == "admin"]
    return sorted({f"/admin/{filled(route)}" for route in routes(site)})


def routes(resolver, prefix=""):
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, route)
        else:
            yield route


def filled(route):
    route = re.sub(r"\^?\(\?P<(\w+)>[^)]*\)", r"<\1>", route).replace("$", "")
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: VALUES.get(found[1], "1"), route)


def outsiders():
    """Callers whom the admin must not let in, whatever they show."""
    users = get_user_model().objects
    yield "anonymous", Client()
    yield "token unknown", bearer(tokens.new_secret())
    yield from ((f"token {scope}", with_token(scope)) for scope in Scope.values)
    for name, fields in (("not staff", {}), ("demoted", {"is_superuser": True})):
        client = Client()
        client.force_login(users.create_user(name, **fields))
        yield name, client


def ask(client, method, path):
    client.cookies["csrftoken"] = "a" * 32
    return client.generic(method, path, headers={"x-csrftoken": "a" * 32})


def test_there_are_addresses_of_every_kind():
    found = addresses()
    assert len(found) > 100
    assert set(found) >= FOR_ALL_STAFF
    assert {"/admin/customers/customer/1/change/", "/admin/customers/importbatch/1/rejects/"} <= set(found)
    assert not [path for path in found if re.search(r"[<>()^?]", path)]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_outsider_is_sent_to_the_login_from_every_address(method):
    make_scored(customer_id=1)
    wrong = []
    for caller, client in outsiders():
        for path in addresses():
            response = ask(client, method, path)
            place = response.headers.get("Location", "").partition("?")[0]
            if path != LOGIN and (response.status_code, place) != (302, "/admin/" if path == LOGOUT else LOGIN):
                wrong.append((caller, path, response.status_code, place))
    assert wrong == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_member_of_the_staff_without_permissions_sees_only_what_is_of_no_model(method):
    make_scored(customer_id=1)
    wrong = []
    for path in addresses():
        status = ask(logged_in(f"new colleague at {path}"), method, path).status_code
        if status not in (302, 403, 404, 405) and path not in FOR_ALL_STAFF:
            wrong.append((path, status))
    assert wrong == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_address_crashes_and_none_may_be_kept(method):
    make_scored(customer_id=1)
    for path in addresses():
        response = ask(superuser(f"root at {path}"), method, path)
        assert response.status_code < 500, path
        assert "no-store" in response["Cache-Control"], path
