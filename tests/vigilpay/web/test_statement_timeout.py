"""Statements of web pages end in time, in words; those of workers and commands take the time that they need."""

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path

from tests.factories import make_customers
from tests.others import together
from tests.staff import superuser
from vigilpay import urls
from vigilpay.web.statement_timeout import timeout_message

LIST = "/admin/customers/customer/"


def sleep(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(20)")
    return HttpResponse("slept")


def limit_of_this_connection(request=None):
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return HttpResponse(cursor.fetchone()[0])


urlpatterns = [
    path("admin/sleep/", sleep),
    path("sleep/", sleep, name="sleep"),
    path("limit/", limit_of_this_connection, name="limit"),
    path("", include(urls.urlpatterns)),
]

pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def open_addresses(settings):
    settings.OPEN_ADDRESSES = ["sleep", "limit"]


def asked_of_the_web_server(address):
    """By a thread of its own, which has no connection yet."""
    [response] = together(lambda: Client().get(address))
    return response


@pytest.fixture
def impatient(settings):
    settings.WEB_STATEMENT_TIMEOUT_SECONDS = 0.05


@pytest.mark.django_db(transaction=True)
class TestConnections:
    def test_one_opened_for_a_request_has_the_limit(self, settings):
        settings.WEB_STATEMENT_TIMEOUT_SECONDS = 3.5
        assert asked_of_the_web_server("/limit/").content == b"3500ms"

    def test_zero_is_no_limit(self, settings):
        settings.WEB_STATEMENT_TIMEOUT_SECONDS = 0.0
        assert asked_of_the_web_server("/limit/").content == b"0"

    def test_one_that_a_worker_or_a_command_opens_has_none(self):
        [answer] = together(limit_of_this_connection)
        assert answer.content == b"0"


@pytest.mark.django_db(transaction=True)
class TestWords:
    def test_a_program_is_told_by_status_and_json(self, impatient):
        response = asked_of_the_web_server("/sleep/")
        assert response.status_code == 503
        assert "longer than 0.05 s" in response.json()["error"]

    def test_a_person_is_led_out_of_the_page_and_told_what_to_do(self, impatient):
        response = asked_of_the_web_server("/admin/sleep/?filter=slow")
        assert (response.status_code, response["Location"]) == (302, "/admin/sleep/")
        response = asked_of_the_web_server("/admin/sleep/")
        assert (response.status_code, response["Location"]) == (302, "/admin/")

    def test_the_message_stands_on_the_page_that_follows(self, monkeypatch):
        client = superuser()
        make_customers(2)
        monkeypatch.setattr("customers.admin.customer_list.changelist.ids_of_page", stopped)
        response = client.get(LIST, {"band": "low"})
        assert (response.status_code, response["Location"]) == (302, LIST)
        monkeypatch.undo()
        said = client.get(LIST).content.decode()
        assert "This took longer than 5 s and was stopped. Narrow the request" in said


def test_a_user_who_wanted_to_change_something_is_to_look_what_has_changed():
    assert "Check what has changed" in timeout_message(RequestFactory().post(LIST))


def stopped(*args, **kwargs):
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '20ms', true); SELECT pg_sleep(20)")
