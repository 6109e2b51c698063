"""The trail is pruned by its setting; the proof of an erasure stays."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import Schedule

from customers.history import retention as history
from vigilpay.trail import retention, writing
from vigilpay.trail.models import TrailEntry

pytestmark = pytest.mark.django_db


def entry(days, purpose=TrailEntry.Purpose.VIEW):
    """One that was written so many days ago."""
    writing.append("user:1", purpose, "here", [1])
    made = TrailEntry.objects.latest("id")
    TrailEntry.objects.filter(pk=made.pk).update(at=timezone.now() - timedelta(days=days))
    return made


def test_older_ones_go_and_erasures_stay(settings):
    settings.TRAIL_DAYS = 30
    entry(days=31)
    kept = {entry(days=29).pk, entry(days=31, purpose=TrailEntry.Purpose.ERASE).pk}
    assert retention.prune_trail() == 1
    assert set(TrailEntry.objects.values_list("pk", flat=True)) == kept


def test_it_goes_on_slice_by_slice_until_the_time_is_up(settings, monkeypatch):
    monkeypatch.setattr(history, "SLICE_ROWS", 2)
    settings.TRAIL_DAYS = 1
    for _ in range(5):
        entry(days=2)
    settings.DRAIN_SECONDS = 0.0
    assert retention.prune_trail() == 2
    settings.DRAIN_SECONDS = 20.0
    assert retention.prune_trail() == 3


def test_migrate_makes_its_schedule_once():
    Schedule.objects.filter(name="prune the audit trail").delete()
    for _ in range(2):
        call_command("migrate", verbosity=0)
    made = Schedule.objects.get(name="prune the audit trail")
    assert import_string(made.func) is retention.prune_trail
    assert made.schedule_type == Schedule.DAILY
