"""Requests that no page of ours would send: by hand, by a scanner, by an old bookmark. None of them is a crash."""

import random
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from customers.admin.customer_list.list import CustomerList
from customers.admin.customer_page.page import CustomerPage
from customers.admin.failures import ScoringFailureAdmin
from customers.models import Customer
from tests.factories import A_CUSTOMER, make_failure, make_scored
from tests.staff import superuser, with_role

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/customer/"
FAILURES = "/admin/customers/scoringfailure/"

LOOKUPS = (
    *(
        "",
        "exact",
        "iexact",
        "contains",
        "icontains",
        "in",
        "range",
        "gt",
        "gte",
        "lt",
        "lte",
        "startswith",
        "endswith",
    ),
    *("isnull", "regex", "iregex", "year", "month", "day", "week_day", "iso_week_day", "week", "date", "time", "hour"),
    *("minute", "second", "quarter", "iso_year", "year__lt", "year__in", "month__range", "date__in", "hour__gt"),
    *("overlap", "contained_by", "len", "0", "has_key", "has_keys", "search", "nothing", "regex__in"),
)
VALUES = (
    *("%00", "a%00b", "1,%00", "%ED%A0%80", "", ",", "1,", "1,2,3", "a,b", "'", "null", "true", "-1", "0", "1"),
    *("32768", "2147483648", "9223372036854775808", "-9223372036854775809", "9" * 23, "1e400", "nan", "-inf", "%C2%B2"),
    *("%D9%A3", "%EF%BC%91", "2026-13-45", "0000-00-00", "0001-01-01", "9999-12-31T23:59:59-14:00", "10000-01-01"),
    *("24:00", "[", "(", "*", "%5C", "a{1,99999}", "(?<x", "{}", "{%22a%22:", "x" * 5000, "_00", "%F4%8F%BF%BF"),
)


@pytest.fixture
def staff():
    return superuser()


def goes_to(response):
    assert response.status_code == 302, response.status_code
    return response.url


ODD_QUESTIONS = (
    *("surname__gte=%00", "surname=a%00b", "surname__in=a,%00"),
    *("band=%00&surname__exact=%00", "edited_by__icontains=%00"),
    *("surname__regex=[", "age__iregex=(", "surname__iregex=*", "surname__regex=%5C"),
    *("age__range=0", "age__range=", "age__range=1,2,3", "surname__range=a"),
    *("scored_at__year=0", "scored_at__year=10000", "scored_at__iso_year=0", "scored_at__year__lt=" + "9" * 23),
    *("age__contained_by=1", "contributions__gt=x", "contributions__in=1", "reason_codes__in=x"),
)


@pytest.mark.django_db(transaction=True)  # what PostgreSQL refuses ends a transaction
class TestLookups:
    def test_a_value_that_cannot_be_looked_up_is_answered_as_a_field_that_is_not_there(self, staff):
        make_scored()
        assert goes_to(staff.get(f"{LIST}?nothing=1")) == f"{LIST}?e=1"
        for question in ODD_QUESTIONS:
            assert goes_to(staff.get(f"{LIST}?{question}")) == f"{LIST}?e=1", question
            assert staff.get(f"{LIST}?{question}&e=1").status_code in (200, 302), question  # Django's own error page
        assert staff.get(f"{LIST}?e=1").status_code == 200

    def test_it_is_logged_without_the_value(self, staff, caplog):
        staff.get(f"{LIST}?surname__regex=Meier(")
        assert f"{LIST} was asked for what can't be looked up: DataError" in caplog.text
        assert "Meier" not in caplog.text

    def test_one_that_can_be_is_looked_up(self, staff):
        customer = make_scored(surname="Meier")
        found = staff.get(f"{LIST}?surname__regex=^M.*r$&scored_at__year__gte=2020")
        assert [it.pk for it in found.context["cl"].result_list] == [customer.pk]

    def test_a_form_is_not_filled_in_with_what_is_no_time(self, staff):
        page = reverse("admin:vigilpay_servicetoken_add")
        assert goes_to(staff.get(f"{page}?expires_at=yesterday")) == f"{page}?e=1"

    def test_nor_is_an_autocompletion(self, staff):
        asked = "app_label=auth&model_name=user&field_name=groups&term=%00"
        assert staff.get(f"/admin/autocomplete/?{asked}", follow=True).status_code == 403


class TestIds:
    @pytest.mark.parametrize("what", ["change", "history", "delete"])
    @pytest.mark.parametrize("written", ["%00", "a%00b"])
    def test_of_nothing_lead_to_the_front_page_with_a_word(self, staff, what, written):
        page = f"/admin/auth/user/{written}/{what}/"
        for answer in (staff.get(page, follow=True), staff.post(page, {"post": "yes"}, follow=True)):
            assert answer.redirect_chain == [("/admin/", 302)]
            assert "Perhaps it was deleted?" in answer.content.decode()


class TestActions:
    @pytest.mark.parametrize("chosen", ["\0", "x", "1.5", "", "²", "9" * 5000])
    def test_on_rows_that_cannot_be_do_nothing_and_say_so(self, staff, chosen):
        failure = make_failure(make_scored())
        answer = staff.post(
            f"{FAILURES}?state=set_aside",
            {"action": "try_again", "_selected_action": [failure.pk, chosen]},
            follow=True,
        )
        assert answer.redirect_chain == [(f"{FAILURES}?state=set_aside", 302)]
        assert "Nothing was changed: the selection could not be read." in answer.content.decode()
        failure.refresh_from_db()
        assert failure.retry_at is None

    @pytest.mark.django_db(transaction=True)
    def test_on_a_list_that_cannot_be_are_answered_as_that_list(self, staff):
        failure = make_failure(make_scored())
        question = {"action": "try_again", "_selected_action": [failure.pk]}
        assert goes_to(staff.post(f"{FAILURES}?error__regex=(", question)) == f"{FAILURES}?e=1"


class TestCookies:
    @pytest.mark.parametrize("page", ["/admin/", "/admin/login/", "/customers/analyze/1/"])
    def test_a_session_that_cannot_be_is_none(self, page, settings):
        settings.API_LOGIN_REQUIRED = True
        make_scored(customer_id=1)
        answers = [Client().get(page, headers={"cookie": it}) for it in ("", r'sessionid="abcdefghijkl\000"')]
        assert len({answer.status_code for answer in answers}) == 1


class TestOwnFaults:
    """What is wrong with us is no fault of the request: a crash tells of it."""

    @pytest.fixture(autouse=True)
    def customer_there(self):
        self.customer = make_scored()

    def test_a_list_that_fails_by_itself_fails(self, staff, monkeypatch):
        monkeypatch.setattr(CustomerList, "risk", stumble)
        for question in ("", "?e=1"):
            with pytest.raises(ValueError, match="our own fault"):
                staff.get(f"{LIST}{question}")

    def test_an_action_that_fails_by_itself_fails(self, staff, monkeypatch):
        failure = make_failure(self.customer)
        monkeypatch.setattr(ScoringFailureAdmin, "try_again", stumble)
        with pytest.raises(ValueError, match="our own fault"):
            staff.post(f"{FAILURES}?q=", {"action": "try_again", "_selected_action": [failure.pk]})

    def test_a_save_that_fails_by_itself_fails_whatever_the_address(self, staff, monkeypatch):
        monkeypatch.setattr(CustomerPage, "save_model", stumble)
        values = {name: value for name, value in A_CUSTOMER.items() if value is not False}
        with pytest.raises(ValueError, match="our own fault"):
            staff.post(f"{LIST}{self.customer.pk}/change/?_changelist_filters=q%3D1", values)

    def test_so_does_what_is_outside_the_admin(self, staff, monkeypatch):
        monkeypatch.setattr("customers.api.insights.of_customer", stumble)
        with pytest.raises(ValueError, match="our own fault"):
            staff.get(f"/customers/insights/{self.customer.pk}/?x=1")


def stumble(*args, **kwargs):
    raise ValueError("our own fault")


stumble.short_description = "Try again now"


def questions(number, seed):
    """Addresses at random: each list by each of its fields and filters, in each way, and with odd pages and ids."""
    pick = random.Random(seed)
    for _ in range(number):
        model = pick.choice(list(admin.site._registry))
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        value = pick.choice(VALUES)
        if pick.random() < 0.15:
            yield f"{page}{pick.choice([value, quote(value)]) or 'x'}/{pick.choice(['change', 'history', 'delete'])}/"
        elif pick.random() < 0.2:
            yield f"{page}?{pick.choice(['q', 'p', 'o', 'all', 'e', '_popup', '_to_field'])}={value}"
        else:
            field, lookup = pick.choice([*model._meta.fields, *model._meta.many_to_many]).name, pick.choice(LOOKUPS)
            yield f"{page}?{'__'.join(filter(None, (field, lookup)))}={value}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("role", "number"), [("superuser", 150), ("operator", 75)])
def test_none_of_many_is_a_crash(role, number):
    make_failure(make_scored())
    client = superuser() if role == "superuser" else with_role(role)
    client.raise_request_exception = False
    crashes = [it for it in questions(number, seed=role) if client.get(it).status_code >= 500]
    assert crashes == []


def test_nor_is_one_of_the_json_views():
    make_scored(customer_id=1)
    client = superuser()
    for value in VALUES:
        for page in ("analyze/{}/", "insights/{}/", "history/{}/", "history/1/?limit={}", "history/1/?before={}"):
            assert client.get(f"/customers/{page.format(value)}").status_code < 500
    bodies = [b"\0", b"\xff", b'{"age": 1e999}', b"[" * 2000, b'{"geography": "\\ud800"}', b'{"gender": "\\u0000"}']
    for body in bodies:
        answer = client.generic("POST", "/customers/what-if/", body, content_type="application/json")
        assert answer.status_code in (400, 422)
    assert Customer.objects.count() == 1
