"""The policy comes with every response, also those of other middleware."""

import pytest
from django.conf import settings as configured

from tests.factories import make_customer
from tests.staff import superuser
from vigilpay.web.csp import HEADERS, POLICY

pytestmark = pytest.mark.django_db

POLICY_HEADER = "Content-Security-Policy"


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/admin/login/", 200),
        ("/admin/", 302),
        ("/admin/nothing/", 302),
        ("/nothing/", 404),
        ("/static/admin/css/base.css", 200),
        ("/customers/analyze/0/", 404),
    ],
)
def test_a_stranger_gets_it_with_pages_redirects_files_and_errors(client, address, status):
    response = client.get(address)
    b"".join(response)  # to its end, or a file stays open
    assert response.status_code == status
    assert {name: response[name] for name in HEADERS} == HEADERS


def test_staff_and_programs_get_it(client):
    assert superuser().get("/admin/customers/customer/")[POLICY_HEADER] == HEADERS[POLICY_HEADER]
    assert client.get(f"/customers/analyze/{make_customer().pk}/")[POLICY_HEADER] == HEADERS[POLICY_HEADER]


def test_a_wrong_host_gets_it(client):
    response = client.get("/admin/login/", headers={"host": "elsewhere.example"})
    assert response.status_code == 400
    assert POLICY_HEADER in response


def test_it_stands_before_all_that_may_answer():
    assert configured.MIDDLEWARE[0] == "vigilpay.web.csp.ContentSecurityPolicyMiddleware"


def test_it_lets_nothing_in_that_stands_in_a_page_or_comes_from_elsewhere():
    assert set(POLICY.values()) == {"'none'", "'self'"}
    assert POLICY["default-src"] == POLICY["frame-ancestors"] == POLICY["base-uri"] == "'none'"
