"""Errors inside the admin are pages of it, whoever asks and however; outside they are JSON."""

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

from tests.staff import logged_in, superuser, with_role
from vigilpay import urls


def raising(error):
    def view(request):
        raise error

    return view


urlpatterns = [
    path("admin/crash/", raising(OperationalError("the database is gone"))),
    path("admin/odd/", raising(SuspiciousOperation("odd"))),
    path("admin/refused/", raising(PermissionDenied())),
    path("", include(urls.urlpatterns)),
]
for handler in ("handler400", "handler403", "handler404", "handler500"):
    globals()[handler] = getattr(urls, handler)

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def is_page(response, status, words):
    assert response.status_code == status
    assert response["Content-Type"] == "text/html; charset=utf-8"
    text = response.content.decode()
    assert '<div id="container">' in text  # Django's own page
    assert "<h1>" in text
    assert words in text
    return True


def careful(client):
    """Answers as the server would, where the test client raises."""
    client.raise_request_exception = False
    return client


def test_a_page_that_is_not_there():
    response = superuser().get("/admin/nothing/")
    assert is_page(response, 404, "There is no such page")
    assert "/admin/customers/customer/" in response.content.decode()  # the menu leads on


def test_a_page_that_the_user_may_not_open():
    assert is_page(with_role("viewer").get("/admin/auth/user/"), 403, "Ask an administrator for a role")


def test_a_page_that_fails_asks_the_database_nothing(django_assert_num_queries):
    client = careful(superuser())
    client.get("/admin/")
    response = client.get("/admin/crash/")
    assert is_page(response, 500, "Something went wrong")
    assert response["X-Request-Id"] in response.content.decode()
    assert "database is gone" not in response.content.decode()


def test_an_odd_request():
    assert is_page(careful(superuser()).get("/admin/odd/"), 400, "could not be read")


def test_a_form_without_its_token():
    response = Client(enforce_csrf_checks=True).post("/admin/login/", {})
    assert is_page(response, 403, "Nothing was saved")


@pytest.mark.parametrize("address", ["/admin/odd/", "/admin/crash/", "/admin/refused/"])
def test_without_a_login_it_is_a_page_too(address):
    response = careful(Client()).get(address)
    assert is_page(response, response.status_code, "Back to the start page")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "ODD"])
def test_an_odd_method_gets_a_page_and_what_is_allowed(method):
    response = superuser().generic(method, "/admin/logout/")
    assert is_page(response, 405, "cannot be called in this way")
    assert "POST" in response["Allow"]


@pytest.mark.parametrize("address", ["/nothing/", "/customers/nothing/"])
def test_elsewhere_it_is_json(address):
    response = superuser().get(address)
    assert (response.status_code, response["Content-Type"]) == (404, "application/json")


def test_a_static_file_that_is_not_there_has_no_page():
    assert b'id="container"' not in Client().get("/static/nothing.css").content


def test_the_icon_that_browsers_ask_for():
    response = Client().get("/favicon.ico")
    assert response.status_code == 200
    assert response["Content-Type"] == "image/svg+xml"
    assert b"".join(response).startswith(b"<svg")
    assert "Content-Security-Policy" in response


def test_no_page_leads_to_the_json_index():
    assert "View site" not in superuser().get("/admin/").content.decode()


def test_what_is_allowed_still_is():
    assert isinstance(logged_in("ann", "view_customer").get("/admin/customers/customer/"), HttpResponse)
