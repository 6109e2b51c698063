"""What workers clear away for the whole house."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from django_q.models import Schedule

from tests.staff import superuser
from vigilpay import jobs
from vigilpay.access import tokens
from vigilpay.models import ServiceToken
from vigilpay.schedules import SCHEDULES

pytestmark = pytest.mark.django_db


def make(name, **ended):
    token, _secret = tokens.make(name, ["read"], expires_at=timezone.now() + timedelta(days=1), created_by="a test")
    ServiceToken.objects.filter(pk=token.pk).update(**ended)


def test_sessions_that_are_over_and_tokens_long_ended_go_and_all_others_stay(settings):
    settings.HISTORY_DAYS = 30
    long_ago, lately = (timezone.now() - timedelta(days=days) for days in (31, 29))
    make("in force")
    make("expired lately", expires_at=lately)
    make("revoked lately", revoked_at=lately)
    make("expired long ago", expires_at=long_ago)
    make("revoked long ago", revoked_at=long_ago)
    superuser("here")
    superuser("gone")
    Session.objects.filter(pk=Session.objects.last().pk).update(expire_date=lately)
    assert jobs.prune_access() == 2
    assert set(ServiceToken.objects.values_list("name", flat=True)) == {"in force", "expired lately", "revoked lately"}
    assert Session.objects.count() == 1


def test_workers_do_it_every_day():
    for name, values in SCHEDULES.items():
        assert Schedule.objects.get(name=name).func == values["func"]
        assert Schedule.objects.get(name=name).schedule_type == Schedule.DAILY
