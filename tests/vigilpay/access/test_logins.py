"""Guessing passwords: counted for the account and for the address, locked, logged without what was typed."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import get_user_model
from django.contrib.auth.middleware import RemoteUserMiddleware
from django.test import Client
from django.utils import timezone

from vigilpay.access import logins

pytestmark = pytest.mark.django_db

PASSWORD = "right horse battery"
PAGE = "/admin/login/"


@pytest.fixture(autouse=True)
def limits(settings):
    settings.AXES_FAILURE_LIMIT, settings.LOGIN_FAILURES_PER_ADDRESS = 3, 6
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def ann(limits):
    return get_user_model().objects.create_user("ann", password=PASSWORD, is_staff=True)


def log_in(password, name="ann", address="10.0.0.5"):
    return Client().post(PAGE, {"username": name, "password": password}, REMOTE_ADDR=address)


def is_in(response):
    return response.status_code == 302


def is_locked(response):
    return response.status_code == 429


class TestAccount:
    def test_it_is_locked_after_some_failures_and_then_the_right_password_does_not_help(self):
        answers = [log_in("wrong") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert is_locked(log_in(PASSWORD))

    def test_whatever_addresses_they_come_from(self):
        for host in range(3):
            log_in("wrong", address=f"10.0.0.{host}")
        assert is_locked(log_in(PASSWORD, address="10.0.0.99"))

    def test_another_account_is_not(self):
        get_user_model().objects.create_user("bob", password=PASSWORD, is_staff=True)
        for _ in range(3):
            log_in("wrong")
        assert is_in(log_in(PASSWORD, name="bob"))

    def test_after_the_time_of_a_lock_it_is_open_again(self):
        for _ in range(3):
            log_in("wrong")
        AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(hours=1))
        assert is_in(log_in(PASSWORD))

    def test_trying_on_does_not_make_a_lock_longer(self):
        for _ in range(3):
            log_in("wrong")
        before = AccessAttempt.objects.get().attempt_time
        log_in("wrong")
        assert AccessAttempt.objects.get().attempt_time == before

    def test_a_login_forgets_what_was_mistyped_before(self):
        for _ in range(3):
            log_in("wrong")
            log_in("wrong")
            assert is_in(log_in(PASSWORD))

    def test_but_not_what_others_tried_at_it_nor_what_was_tried_at_others(self):
        """A user with an account of their own must not be able to clear the count of a colleague's."""
        get_user_model().objects.create_user("bob", password=PASSWORD, is_staff=True)
        for _ in range(2):
            log_in("wrong", name="ann")
            assert is_in(log_in(PASSWORD, name="bob"))
        assert is_locked(log_in("wrong", name="ann"))


class TestAddress:
    def test_it_is_locked_after_more_of_them_whatever_the_accounts(self):
        answers = [log_in("wrong", name=f"guess {number}") for number in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert is_locked(log_in(PASSWORD))
        assert is_in(log_in(PASSWORD, address="10.0.0.6"))

    def test_a_client_s_own_claim_is_not_believed(self, settings):
        for number in range(6):
            Client().post(
                *(PAGE, {"username": f"guess {number}", "password": "wrong"}),
                headers={"x-forwarded-for": f"10.9.9.{number}"},
                REMOTE_ADDR="10.0.0.5",
            )
        assert is_locked(log_in(PASSWORD))

    def test_callers_without_one_are_counted_together(self):
        for number in range(6):
            log_in("wrong", name=f"guess {number}", address="")
        assert is_locked(log_in(PASSWORD, address=""))


class TestWords:
    def test_the_admin_s_own_page_says_how_long_it_is_locked(self):
        for _ in range(2):
            log_in("wrong")
        response = log_in("wrong")
        assert "Too many failed logins. Try again in 15 minutes" in response.content.decode()
        assert (response["Retry-After"], response["Content-Type"]) == ("900", "text/html; charset=utf-8")

    def test_each_failure_is_logged_without_the_password(self, caplog):
        for _ in range(3):
            log_in("hunter2-of-ann")
        assert caplog.text.count("A login as 'ann' from 10.0.0.5 failed.") == 3
        assert caplog.text.count("locked for 15 minutes") == 1
        assert "hunter2" not in caplog.text

    def test_nor_the_name_where_there_is_no_such_account_for_it_may_be_a_password(self, caplog):
        for _ in range(6):
            log_in("", name="hunter2-of-ann")
            log_in("x", name="hunter2-of-ann")
        assert "an unknown account" in caplog.text
        assert "hunter2" not in caplog.text

    def test_no_password_is_stored(self):
        log_in("hunter2-of-ann")
        assert "hunter2" not in str(list(AccessAttempt.objects.values()))


def test_failures_whose_time_is_over_are_deleted():
    log_in("wrong")
    assert logins.prune() == 0
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(hours=1))
    assert logins.prune() == 1


class ProxyLogin(RemoteUserMiddleware):
    """As a bank's, behind a proxy that logs users in."""

    header = "HTTP_X_REMOTE_USER"


def test_the_bank_may_let_a_proxy_log_users_in(settings):
    """As VIGILPAY_LOGIN_BACKENDS and VIGILPAY_LOGIN_MIDDLEWARE add them: tests/vigilpay/test_settings.py."""
    settings.AUTHENTICATION_BACKENDS = [
        settings.AUTHENTICATION_BACKENDS[0],
        "django.contrib.auth.backends.RemoteUserBackend",
        *settings.AUTHENTICATION_BACKENDS[1:],
    ]
    where = settings.MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:where],
        f"{__name__}.{ProxyLogin.__name__}",
        *settings.MIDDLEWARE[where:],
    ]
    assert Client().get("/admin/", headers={"x-remote-user": "ann"}).status_code == 200
    assert Client().get("/admin/", headers={"x-remote-user": "not one of the staff"}).status_code == 302
    assert Client().get("/admin/").status_code == 302


def test_a_header_that_names_a_user_lets_no_user_in():
    """What a proxy has found out is not believed unless the bank's settings say so."""
    for headers in ({"remote-user": "ann"}, {"x-remote-user": "ann"}, {"x-forwarded-user": "ann"}):
        assert Client().get("/admin/", headers=headers).status_code == 302
