"""Who may call the JSON views from where, and that every error outside the admin is JSON."""

import logging

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import include, path, resolve

from customers.models import ScoreRecord
from customers.views import analyze_customer
from tests.factories import A_CUSTOMER, make_customer
from tests.staff import bearer, logged_in, superuser, with_token
from vigilpay import __version__
from vigilpay.access import rules
from vigilpay.models import ServiceToken
from vigilpay.web.access import as_json_error, may_call_without_login

pytestmark = pytest.mark.django_db

LOOPBACK = ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"]
ELSEWHERE = ["10.0.0.5", "192.168.1.20", "203.0.113.9", "2001:db8::1", "::ffff:10.0.0.5", ""]


def crash(request):
    raise RuntimeError("a bug")


urlpatterns = [path("crash/", crash, name="crash"), path("forgotten/", crash), path("", include("vigilpay.urls"))]


@pytest.fixture
def address():
    return f"/customers/analyze/{make_customer().pk}/"


@pytest.fixture
def production(settings):
    settings.API_LOGIN_REQUIRED = True


@pytest.fixture
def open_crash(monkeypatch):
    monkeypatch.setitem(rules.RULES, "crash", rules.OPEN)


def user(**fields):
    return get_user_model().objects.create_user("teller", **fields)


class TestDevelopment:
    @pytest.mark.parametrize("caller", LOOPBACK)
    def test_this_very_machine_needs_no_login(self, client, address, caller):
        assert client.get(address, REMOTE_ADDR=caller).status_code == 200

    @pytest.mark.parametrize("caller", ELSEWHERE)
    def test_any_other_machine_does(self, client, address, caller):
        response = client.get(address, REMOTE_ADDR=caller)
        assert response.status_code == 401
        assert "Log in" in response.json()["error"]

    @pytest.mark.parametrize("caller", ELSEWHERE)
    def test_and_may_call_once_it_has_logged_in(self, address, caller):
        assert logged_in("ann", "rescore_customer").get(address, REMOTE_ADDR=caller).status_code == 200

    @pytest.mark.parametrize("caller", LOOPBACK)
    def test_a_token_is_checked_even_there(self, address, caller):
        assert bearer("vp_nothing").get(address, REMOTE_ADDR=caller).status_code == 401
        assert with_token("read").get(address, REMOTE_ADDR=caller).status_code == 403
        assert with_token("score").get(address, REMOTE_ADDR=caller).status_code == 200

    def test_without_a_login_no_csrf_token_is_asked_for_but_with_one_it_is(self):
        asked = {"customer": {**A_CUSTOMER, "balance": 1}}
        strict = Client(enforce_csrf_checks=True)
        assert strict.post("/customers/what-if/", asked, content_type="application/json").status_code == 200
        strict.force_login(user())
        assert strict.post("/customers/what-if/", asked, content_type="application/json").status_code == 403

    def test_what_a_proxy_says_of_itself_opens_nothing(self, client, address):
        response = client.get(address, REMOTE_ADDR="203.0.113.9", headers={"x-forwarded-for": "127.0.0.1"})
        assert response.status_code == 401


@pytest.mark.usefixtures("production")
class TestProduction:
    @pytest.mark.parametrize("caller", LOOPBACK + ELSEWHERE)
    def test_no_user_calls_without_a_login(self, client, address, caller):
        response = client.get(address, REMOTE_ADDR=caller)
        assert response.status_code == 401
        assert response["Content-Type"] == "application/json"

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "TRACE"])
    def test_not_by_any_method(self, address, method):
        assert Client(enforce_csrf_checks=True).generic(method, address).status_code == 401

    def test_a_session_with_the_permission_is_enough(self, address):
        assert logged_in("ann", "rescore_customer").get(address).status_code == 200

    def test_that_of_a_user_who_has_left_is_not(self, client, address):
        client.force_login(user(is_active=False))
        assert client.get(address).status_code == 401

    def test_a_user_without_the_permission_is_told_which_one(self, address):
        response = logged_in("ann", "view_customer").get(address)
        assert response.status_code == 403
        assert "customers.rescore_customer" in response.json()["error"]

    def test_a_user_who_is_no_longer_one_of_the_staff_is_told_so(self, address):
        client = superuser("ann")
        assert client.get(address).status_code == 200
        get_user_model().objects.filter(username="ann").update(is_staff=False)
        assert client.get(address).status_code == 403
        assert "staff" in client.get(address).json()["error"]

    def test_the_view_itself_is_never_checked(self):
        request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9")
        assert analyze_customer(request, customer_id=make_customer().pk).status_code == 200

    def test_a_session_needs_a_csrf_token_and_is_told_where_to_put_it(self):
        client = Client(enforce_csrf_checks=True)
        client.force_login(get_user_model().objects.create_superuser("clerk", password=None))
        asked = {"customer": {**A_CUSTOMER, "balance": 1}}
        refused = client.post("/customers/what-if/", asked, content_type="application/json")
        assert (refused.status_code, refused["Content-Type"]) == (403, "application/json")
        assert "X-CSRFToken" in refused.json()["error"]
        client.cookies["csrftoken"] = "a" * 32
        sent = client.post(
            "/customers/what-if/", asked, content_type="application/json", headers={"x-csrftoken": "a" * 32}
        )
        assert sent.status_code == 200

    def test_the_admin_s_own_page_tells_of_a_csrf_token_that_is_missing(self):
        response = Client(enforce_csrf_checks=True).post("/admin/login/", {})
        assert (response.status_code, response["Content-Type"]) == (403, "text/html; charset=utf-8")

    def test_an_address_without_a_rule_is_refused_to_all(self, settings):
        settings.ROOT_URLCONF = __name__
        for client in (Client(), superuser(), with_token("read", "score", "import", "operate")):
            assert client.get("/forgotten/").status_code == 403
            assert client.get("/crash/").status_code == 403

    def test_an_address_of_the_bank_s_own_is_open_when_its_settings_say_so(self, settings):
        settings.ROOT_URLCONF, settings.OPEN_ADDRESSES = __name__, ["crash"]
        assert Client(raise_request_exception=False).get("/crash/").status_code == 500

    def test_nothing_is_kept_by_browsers_and_proxies_be_it_an_error(self, address, client):
        for caller in (client, superuser()):
            for asked in (address, "/customers/insights/999999999999/", "/nothing/", "/"):
                assert caller.get(asked)["Cache-Control"] == "no-store"
        assert "no-store" in superuser("root").get("/admin/customers/customer/")["Cache-Control"]

    def test_while_the_database_is_away_a_caller_is_told_to_try_again(self, address, monkeypatch):
        client = with_token("score")

        def fail(*args, **options):
            raise OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(ServiceToken.objects, "filter", fail)
        response = client.get(address)
        assert (response.status_code, response["Retry-After"]) == (503, "5")

    def test_nothing_was_scored_for_them(self, client, address):
        client.get(address)
        assert not ScoreRecord.objects.exists()

    def test_the_admin_asks_in_its_own_way(self, client):
        response = client.get("/admin/")
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")
        assert client.get("/admin/login/")["Content-Type"].startswith("text/html")


class TestJsonErrors:
    @pytest.mark.parametrize("unknown", ["/nothing/", "/customers/", "/customers/insights/", "/administration/"])
    def test_an_unknown_address_is_404_in_json(self, client, unknown):
        response = client.get(unknown)
        assert response.status_code == 404
        assert response.json() == {"error": "Not Found"}

    @pytest.mark.usefixtures("open_crash")
    @override_settings(ROOT_URLCONF=__name__)
    def test_a_crash_is_500_in_json_and_tells_nothing_of_itself(self):
        response = Client(raise_request_exception=False).get("/crash/")
        assert response.status_code == 500
        assert response.json() == {"error": "Internal Server Error"}

    @pytest.mark.usefixtures("open_crash")
    @override_settings(ROOT_URLCONF=__name__, DEBUG=True)
    def test_nor_in_debug_mode(self):
        response = Client(raise_request_exception=False).get("/crash/")
        assert response.json() == {"error": "Internal Server Error"}

    def test_a_wrong_host_is_400_in_json(self, client):
        response = client.get("/customers/analyze/1/", headers={"host": "evil.example"})
        assert response.status_code == 400
        assert response.json() == {"error": "Bad Request"}

    @pytest.mark.parametrize("host", ["evil.example", "not_a_name", "evil.example:80:80", "[", ""])
    @pytest.mark.parametrize("address", ["/", "/customers/analyze/1/", "/admin/", "/admin/login/"])
    def test_a_wrong_host_is_one_line_in_the_log(self, caplog, host, address):
        response = Client().get(address, headers={"host": host} if host else {}, SERVER_NAME="elsewhere.example")
        assert response.status_code == 400
        assert [record.name for record in caplog.records] == ["django.security.DisallowedHost"]
        assert "Invalid HTTP_HOST header" in (line := as_logged(caplog.records[0]))
        assert "\n" not in line

    @pytest.mark.usefixtures("open_crash")
    @override_settings(ROOT_URLCONF=__name__)
    def test_a_crash_is_told_once_with_its_traceback(self, caplog):
        Client(raise_request_exception=False).get("/crash/")
        assert [record.getMessage() for record in caplog.records] == ["Internal Server Error: /crash/"]
        assert 'RuntimeError("a bug")' in as_logged(caplog.records[0])

    def test_the_admin_keeps_its_own_pages(self):
        staff = Client()
        staff.force_login(get_user_model().objects.create_superuser("clerk", password=None))
        response = staff.get("/admin/nothing/")
        assert response.status_code == 404
        assert response["Content-Type"].startswith("text/html")

    def test_headers_that_tell_a_program_what_to_do_are_kept(self):
        answer = as_json_error(HttpResponse(status=405, headers={"Allow": "GET", "Retry-After": "3", "X-Else": "x"}))
        assert (answer["Allow"], answer["Retry-After"]) == ("GET", "3")
        assert "X-Else" not in answer

    def test_a_good_answer_is_left_alone(self, client, address):
        assert client.get(address).json().keys() == {"customer_id", "churn_risk_score"}


def as_logged(record):
    """As it stands in the log."""
    [handler] = [handler for handler in logging.getLogger().handlers if handler.get_name() == "console"]
    assert handler.filter(record)
    return handler.format(record)


class TestIndex:
    def test_it_tells_name_version_and_where_to_go_on(self, client):
        answer = client.get("/").json()
        assert (answer["name"], answer["version"]) == ("VigilPay", __version__)
        assert answer["links"]["admin"] == "/admin/"
        assert answer["links"]["analyze"] == "/customers/analyze/{customer_id}/"
        assert set(answer["links"]) == {
            *("admin", "openapi", "analyze", "analyze_many", "insights", "history", "objection", "what_if"),
            *("at_risk", "changes", "freshness", "health_live", "health_ready"),
        }

    def test_each_address_that_it_names_is_one(self, client):
        for address in client.get("/").json()["links"].values():
            assert resolve(address.replace("{customer_id}", "1"))

    def test_nothing_is_posted_there(self, client):
        response = client.post("/")
        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")

    @pytest.mark.usefixtures("production")
    def test_it_is_open_to_all(self, client):
        assert client.get("/").status_code == 200
        assert bearer("vp_nothing").get("/").status_code == 200


@pytest.mark.parametrize("caller", LOOPBACK)
def test_where_a_login_is_required_no_address_makes_up_for_it(settings, caller):
    settings.API_LOGIN_REQUIRED = True
    assert not may_call_without_login(RequestFactory().get("/", REMOTE_ADDR=caller))
