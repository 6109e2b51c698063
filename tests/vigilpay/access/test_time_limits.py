"""How long a login lasts, whatever is stored in its session meanwhile."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client

from tests.staff import superuser
from vigilpay.access import time_limits

pytestmark = pytest.mark.django_db

HOUR = 3600


@pytest.fixture
def clock(monkeypatch):
    """``clock.now`` may be moved on."""

    class Clock:
        now = 1_800_000_000.0

    monkeypatch.setattr(time_limits, "time", lambda: Clock.now)
    return Clock


@pytest.fixture(autouse=True)
def limits(settings):
    settings.SESSION_COOKIE_AGE, settings.SESSION_IDLE_SECONDS = 10 * HOUR, HOUR // 2


def is_in(client):
    return client.get("/admin/").status_code == 200


def test_a_user_who_goes_on_working_stays_in_for_a_working_day_and_no_longer(clock):
    client = superuser()
    for _ in range(40):
        assert is_in(client)
        clock.now += HOUR / 4
    clock.now += 1
    assert not is_in(client)


def test_one_who_is_away_is_logged_out_and_the_session_is_gone(clock):
    client = superuser()
    assert is_in(client)
    clock.now += HOUR // 2 + 1
    assert not is_in(client)
    assert not is_in(client)
    assert not Session.objects.exists()


def test_nothing_is_done_for_one_who_comes_back_too_late(clock):
    client = superuser()
    clock.now += HOUR
    client.post("/admin/auth/group/add/", {"name": "made too late"})
    assert not get_user_model().objects.get().groups.model.objects.filter(name="made too late").exists()


def test_the_session_is_written_once_a_minute_at_most(clock):
    client = superuser()
    assert is_in(client)
    stored = Session.objects.get().session_data
    clock.now += 59
    assert is_in(client)
    assert Session.objects.get().session_data == stored
    clock.now += 2
    assert is_in(client)
    assert Session.objects.get().session_data != stored


def test_a_login_of_an_earlier_version_begins_now(clock):
    client = superuser()
    session = client.session
    for name in (time_limits.LOGGED_IN_AT, time_limits.SEEN_AT):
        del session[name]
    session.save()
    assert is_in(client)
    assert client.session[time_limits.LOGGED_IN_AT] == clock.now


def test_a_visitor_without_a_login_gets_no_session(clock):
    client = Client()
    client.get("/admin/login/")
    client.get("/")
    assert not Session.objects.exists()
