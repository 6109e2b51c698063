"""Tokens of programs: what is stored of them, how long they are good, and the commands and the page that make them."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.test import RequestFactory
from django.utils import timezone

from customers.models import Customer
from tests.factories import make_customer
from tests.staff import bearer, logged_in, superuser
from vigilpay.access import tokens
from vigilpay.models import ServiceToken

pytestmark = pytest.mark.django_db

PAGE = "/admin/vigilpay/servicetoken/"


def make(*scopes, days=1.0):
    return tokens.make(
        "export", list(scopes or ["read"]), expires_at=timezone.now() + timedelta(days=days), created_by="a test"
    )


class TestSecrets:
    def test_the_secret_is_long_and_nowhere_in_the_table(self):
        token, secret = make()
        assert secret.startswith("vp_")
        assert len(secret) >= 43  # 256 bits, six to a character
        assert secret not in str(list(ServiceToken.objects.values()))
        assert token.digest == tokens.digest_of(secret)

    def test_no_two_are_the_same(self):
        assert len({tokens.new_secret() for _ in range(100)}) == 100

    def test_it_is_found_by_its_secret_and_by_nothing_else(self):
        token, secret = make()
        assert tokens.find(secret) == token
        for other in (token.digest, secret[:-1], secret.upper(), "", "vp_", token.name):
            with pytest.raises(tokens.InvalidTokenError):
                tokens.find(other)

    @pytest.mark.parametrize("scopes", [[], ["all"], ["read", "admin"]])
    def test_the_database_refuses_scopes_that_do_not_exist(self, scopes):
        with pytest.raises(IntegrityError):
            ServiceToken.objects.create(name="x", digest="x", scopes=scopes, expires_at=timezone.now())


class TestTime:
    def test_one_that_is_over_is_not_found(self):
        for token, secret in (make(days=-0.0001), revoked()):
            assert token.state != "active"
            with pytest.raises(tokens.InvalidTokenError):
                tokens.find(secret)

    def test_its_use_is_noted_once_a_minute(self, django_assert_num_queries):
        token, secret = make()
        tokens.find(secret)
        token.refresh_from_db()
        first = token.last_used_at
        assert timezone.now() - first < timedelta(minutes=1)
        with django_assert_num_queries(1):
            tokens.find(secret)
        token.refresh_from_db()
        assert token.last_used_at == first
        ServiceToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
        tokens.find(secret)
        token.refresh_from_db()
        assert timezone.now() - token.last_used_at < timedelta(minutes=1)

    def test_one_that_is_refused_is_not_noted_as_used(self):
        token, secret = revoked()
        with pytest.raises(tokens.InvalidTokenError):
            tokens.find(secret)
        token.refresh_from_db()
        assert token.last_used_at is None


def revoked():
    token, secret = make()
    assert tokens.revoke([token.pk]) == [token]
    token.refresh_from_db()
    return token, secret


@pytest.mark.parametrize(
    ("header", "secret"),
    [
        ("Bearer vp_abc", "vp_abc"),
        ("bearer   vp_abc ", "vp_abc"),
        ("Bearer", ""),
        ("Basic dXNlcjpwYXNz", None),
        ("vp_abc", None),
        ("", None),
    ],
)
def test_what_a_request_shows(header, secret):
    request = RequestFactory().get("/", headers={"authorization": header} if header else {})
    assert tokens.shown_by(request) == secret


def test_every_wrong_token_gets_the_same_answer(settings):
    settings.API_LOGIN_REQUIRED = True
    secrets = [tokens.new_secret(), make(days=-1)[1], revoked()[1], "", "\xff"]
    answers = [bearer(secret).get("/events/freshness/") for secret in secrets]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer["WWW-Authenticate"] for answer in answers} == {'Bearer error="invalid_token"'}


def test_an_edit_by_a_program_is_recorded_as_its_own(monkeypatch, settings):
    """No address edits a customer yet: what would, does it within such a request."""
    settings.API_LOGIN_REQUIRED = True
    customer = make_customer(age=40)
    token, secret = make("read")
    monkeypatch.setattr("customers.views.insights.of_customer", lambda key: {"edited": edit(key)})
    assert bearer(secret).get(f"/customers/insights/{customer.pk}/").status_code == 200
    customer.refresh_from_db()
    assert (customer.age, customer.edited_by) == (41, f"token:{token.pk}")


def edit(customer_id):
    customer = Customer.objects.get(pk=customer_id)
    customer.age = 41
    customer.save()
    return True


class TestCommands:
    def test_one_is_made_and_its_secret_alone_is_printed(self):
        out, err = StringIO(), StringIO()
        scopes = ("--scope", "score", "--scope", "read")
        call_command("create_token", "nightly export", *scopes, days=30, stdout=out, stderr=err)
        token = tokens.find(out.getvalue().strip())
        assert (token.name, token.scopes, token.created_by) == ("nightly export", ["read", "score"], "create_token")
        assert timedelta(days=29) < token.expires_at - timezone.now() <= timedelta(days=30)
        assert out.getvalue().strip() not in err.getvalue()

    def test_one_that_lasts_for_ever_is_not(self):
        with pytest.raises(CommandError, match="3650 days at most"):
            call_command("create_token", "x", "--scope", "read", days=10**9)

    def test_they_are_listed_without_secrets(self):
        out = StringIO()
        call_command("list_tokens", stdout=out)
        assert "no tokens" in out.getvalue()
        token, secret = make("read", "operate")
        for options in ({}, {"json": True}):
            out = StringIO()
            call_command("list_tokens", stdout=out, **options)
            assert "export" in out.getvalue()
            assert secret not in out.getvalue()
            assert token.digest not in out.getvalue()
        assert json.loads(out.getvalue())[0]["scopes"] == ["read", "operate"]

    def test_one_is_revoked_once(self):
        token, secret = make()
        out = StringIO()
        call_command("revoke_token", str(token.pk), stdout=out)
        assert "export" in out.getvalue()
        with pytest.raises(tokens.InvalidTokenError):
            tokens.find(secret)
        with pytest.raises(CommandError, match="none of these"):
            call_command("revoke_token", str(token.pk))


class TestPage:
    def form(self, **changed):
        return {"name": "export", "scopes": ["read"], "expires_at_0": "2999-01-01", "expires_at_1": "12:00", **changed}

    def test_the_secret_is_shown_once_when_it_is_made(self):
        staff = superuser("root")
        shown = staff.post(f"{PAGE}add/", self.form(), follow=True).content.decode()
        [secret] = [word for word in shown.split() if word.startswith("vp_")]
        token = tokens.find(secret)
        assert (token.scopes, token.created_by) == (["read"], "root")
        for page in (PAGE, f"{PAGE}{token.pk}/change/", f"{PAGE}{token.pk}/history/", "/admin/"):
            again = staff.get(page).content.decode()
            assert secret not in again
            assert token.digest not in again

    @pytest.mark.parametrize(
        "changed",
        [{"scopes": []}, {"scopes": ["all"]}, {"expires_at_0": "2001-01-01"}, {"expires_at_0": ""}, {"name": ""}],
    )
    def test_what_makes_no_sense_makes_no_token(self, changed):
        assert superuser().post(f"{PAGE}add/", self.form(**changed)).status_code == 200
        assert not ServiceToken.objects.exists()

    def test_a_token_is_revoked_there_and_never_changed(self):
        token, secret = make()
        staff = superuser()
        staff.post(f"{PAGE}{token.pk}/change/", self.form(scopes=["score"]))
        assert tokens.find(secret).scopes == ["read"]
        answer = staff.post(PAGE, {"action": "revoke", "_selected_action": [token.pk]}, follow=True)
        assert "1 token revoked." in answer.content.decode()
        with pytest.raises(tokens.InvalidTokenError):
            tokens.find(secret)

    def test_it_needs_permissions_of_its_own(self):
        token, secret = make()
        viewer = logged_in("ann", "view_servicetoken")
        assert viewer.get(PAGE).status_code == 200
        assert viewer.get(f"{PAGE}add/").status_code == 403
        viewer.post(PAGE, {"action": "revoke", "_selected_action": [token.pk]})
        logged_in("eve", "view_servicetoken", "change_servicetoken").post(f"{PAGE}{token.pk}/delete/", {"post": "yes"})
        assert tokens.find(secret) == token
        assert logged_in("bob", "view_customer").get(PAGE).status_code == 403
