"""Who is let in where: every address outside the admin, every kind of caller, every method. No cell may be wrong.

The table is written down here once more, by hand, so that a slip in ``vigilpay/access/rules.py`` is not its own proof.
"""

import random

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from customers.models import ScoreRecord
from tests.factories import A_CUSTOMER, make_scored
from tests.staff import bearer, logged_in, superuser, with_role, with_token
from vigilpay.access import rules, tokens
from vigilpay.models import Scope, ServiceToken

pytestmark = pytest.mark.django_db

STAFF = {"viewer", "agent", "analyst", "operator", "approver", "superuser"}
PERMISSIONS = ("view_customer", "view_scorerecord", "rescore_customer", "record_objection", "view_overview")
KNOWN = (
    STAFF
    | {"not staff", "demoted", "no permission"}
    | {f"only {permission}" for permission in PERMISSIONS}
    | {f"token {scope}" for scope in Scope.values}
)
ALL_STAFF = STAFF | {"no permission"} | {f"only {permission}" for permission in PERMISSIONS}
UNKNOWN = {"anonymous", "inactive", "token unknown", "token expired", "token revoked", "token empty"}
ALL = KNOWN | UNKNOWN
# Address, the methods that it answers, and who may.
CELLS = {
    "index": (("GET", "HEAD"), ALL),
    "health_live": (("GET", "HEAD"), ALL),
    "health_ready": (("GET", "HEAD"), ALL),
    "customers:analyze": (("GET", "HEAD"), {"analyst", "superuser", "only rescore_customer", "token score"}),
    "customers:insights": (("GET", "HEAD"), STAFF | {"only view_customer", "token read"}),
    "customers:history": (("GET", "HEAD"), STAFF | {"only view_scorerecord", "token read"}),
    "customers:what_if": (("POST",), STAFF | {"only view_customer", "token read"}),
    "customers:at_risk": (("GET", "HEAD"), STAFF | {"only view_customer", "token read"}),
    "customers:objection": (("POST",), {"analyst", "superuser", "only record_objection", "token import"}),
    "customers:changes": (("GET", "HEAD"), STAFF | {"only view_customer", "token read"}),
    "customers:analyze_many": (("POST",), {"analyst", "superuser", "only rescore_customer", "token score"}),
    "openapi": (("GET", "HEAD"), ALL_STAFF | {f"token {scope}" for scope in Scope.values}),
    "events:freshness": (("GET", "HEAD"), STAFF | {"only view_overview", "token operate"}),
}
OF_A_CUSTOMER = ("customers:analyze", "customers:insights", "customers:history", "customers:objection")
OTHER_METHODS = ("HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
SAMPLE, SEED = 80, 14
A_QUESTION = {"customer": {**A_CUSTOMER, "balance": 1}}
ASKED = {"/analyze/": {"customer_ids": [1]}, "/objection/": {"objected": False}}
CSRF = "a" * 32


@pytest.fixture(autouse=True)
def as_in_production(settings):
    settings.API_LOGIN_REQUIRED = True


@pytest.fixture
def callers():
    users = get_user_model().objects
    found = {
        "anonymous": Client(),
        "demoted": logged_in_as(users.create_user("moved elsewhere", is_superuser=True)),
        "not staff": logged_in_as(users.create_user("customer of the bank")),
        "no permission": logged_in_as(users.create_user("new colleague", is_staff=True)),
        "inactive": logged_in_as(
            users.create_user("former colleague", is_staff=True, is_superuser=True, is_active=False)
        ),
        "superuser": superuser(),
        "token unknown": bearer(tokens.new_secret()),
        "token empty": bearer(""),
        "token expired": with_token(*Scope.values, days=-0.001),
        "token revoked": with_token(*Scope.values),
    }
    tokens.revoke([ServiceToken.objects.latest("pk").pk])
    found |= {role: with_role(role) for role in ("viewer", "agent", "analyst", "operator", "approver")}
    found |= {f"token {scope}": with_token(scope) for scope in Scope.values}
    found |= {f"only {permission}": logged_in(permission, permission) for permission in PERMISSIONS}
    for client in found.values():
        client.handler.enforce_csrf_checks = True  # as outside of tests
    assert set(found) == ALL
    return found


def logged_in_as(user):
    client = Client()
    client.force_login(user)
    return client


def names_outside_the_admin(resolver=None, prefix=""):
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            if pattern.namespace != "admin":
                yield from names_outside_the_admin(
                    pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
                )
        else:
            yield f"{prefix}{pattern.name}"


def path_of(address, customer):
    return reverse(address, kwargs=customer if address in OF_A_CUSTOMER else {})


def expected(address, caller, method):
    methods, allowed = CELLS[address]
    if allowed is not ALL and caller in UNKNOWN:
        return 401
    if method not in methods:
        return 405
    return 200 if caller in allowed else 403


def ask(client, method, path, *, csrf=True):
    """As a careful program asks: the CSRF token comes with it, where there is a session to be forged."""
    client.cookies["csrftoken"] = CSRF
    headers = {"x-csrftoken": CSRF} if csrf else {}
    asked = next((it for address, it in ASKED.items() if address in path), A_QUESTION)
    body = {} if method in ("GET", "HEAD") else {"data": asked, "content_type": "application/json"}
    ways = {"PUT": client.put, "PATCH": client.patch, "DELETE": client.delete, "OPTIONS": client.options}
    if method == "TRACE":
        return client.trace(path, headers=headers)
    return {"GET": client.get, "HEAD": client.head, "POST": client.post, **ways}[method](path, headers=headers, **body)


def faults(response, status):
    if response.status_code != status:
        yield f"{response.status_code} instead of {status}"
    if response["Content-Type"] != "application/json":
        yield response["Content-Type"]
    if response["Cache-Control"] != "no-store":
        yield f"Cache-Control: {response['Cache-Control']}"
    if status == 401 and not response.get("WWW-Authenticate", "").startswith("Bearer"):
        yield "401 does not say how to log in"
    if status == 405 and "Allow" not in response:
        yield "405 without Allow"
    if status >= 400 and response.content and set(response.json()) != {"error"}:
        yield "another shape of error"


def wrong_cells(cells, callers, customer):
    return [
        (address, caller, method, fault)
        for address, caller, method in cells
        for fault in faults(ask(callers[caller], method, path_of(address, customer)), expected(address, caller, method))
    ]


def test_no_cell_is_wrong_for_get_and_post(callers):
    customer = {"customer_id": make_scored().pk}
    cells = [(address, caller, method) for address in CELLS for caller in ALL for method in ("GET", "POST")]
    assert len(cells) == len(CELLS) * len(ALL) * 2
    before = ScoreRecord.objects.count()
    assert wrong_cells(cells, callers, customer) == []
    # One for each of those who may, and none by any other.
    assert ScoreRecord.objects.count() - before == len(CELLS["customers:analyze"][1])


def test_no_cell_is_wrong_for_a_sample_of_the_other_methods(callers):
    customer = {"customer_id": make_scored().pk}
    cells = [(address, caller, method) for address in CELLS for caller in sorted(ALL) for method in OTHER_METHODS]
    assert wrong_cells(random.Random(SEED).sample(cells, SAMPLE), callers, customer) == []


def test_a_session_without_its_csrf_token_changes_no_cell_but_those_that_a_page_elsewhere_could_forge(callers):
    customer = {"customer_id": make_scored().pk}
    for address, (methods, allowed) in CELLS.items():
        for caller in ALL:
            status = ask(callers[caller], "POST", path_of(address, customer), csrf=False).status_code
            is_forgeable = "POST" in methods and caller in allowed and not caller.startswith("token")
            assert status == (403 if is_forgeable else expected(address, caller, "POST")), (address, caller)


def test_a_token_never_opens_the_admin(callers):
    pages = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
    ]
    for caller in (name for name in ALL if name.startswith("token")):
        for page in (*pages, reverse("admin:index")):
            response = callers[caller].get(page)
            assert (response.status_code, response.url.partition("?")[0]) == (302, reverse("admin:login"))


def test_a_token_gains_nothing_from_a_session_and_a_session_nothing_from_a_token(callers):
    path = path_of("customers:analyze", {"customer_id": make_scored().pk})
    for shown in (f"Bearer {tokens.new_secret()}", "Bearer", callers["token expired"].defaults["HTTP_AUTHORIZATION"]):
        assert callers["superuser"].get(path, headers={"authorization": shown}).status_code == 401
    shown = callers["token read"].defaults["HTTP_AUTHORIZATION"]
    assert callers["superuser"].get(path, headers={"authorization": shown}).status_code == 403
    shown = callers["token score"].defaults["HTTP_AUTHORIZATION"]
    response = callers["superuser"].get(path, headers={"authorization": shown})
    assert (response.status_code, response.wsgi_request.user.is_anonymous) == (200, True)


def test_every_address_outside_the_admin_has_a_rule_and_stands_in_this_table():
    names = set(names_outside_the_admin())
    assert names == set(rules.RULES) - {"metrics"}, "An address that is there only where metrics are on"
    assert names == set(CELLS)


def test_every_permission_and_scope_of_a_rule_exists():
    labels = Permission.objects.values_list("content_type__app_label", "codename")
    permissions = {f"{app}.{codename}" for app, codename in labels}
    for rule in rules.RULES.values():
        assert rule.permission in {*permissions, ""}
        assert rule.scope in {*Scope.values, ""}
