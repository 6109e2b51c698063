"""The second net is there without an administrator's doing."""

import pydoc
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_q.models import Schedule

from events.queue.schedules import SCHEDULES, ensure_schedules
from vigilpay.schedules import SCHEDULES as OF_THE_HOUSE

pytestmark = pytest.mark.django_db


def test_migrate_alone_makes_every_schedule_once():
    assert sorted(Schedule.objects.values_list("name", flat=True)) == sorted([*SCHEDULES, *OF_THE_HOUSE])


def test_to_migrate_again_changes_nothing():
    before = list(Schedule.objects.order_by("id").values())
    call_command("migrate", verbosity=0)
    assert list(Schedule.objects.order_by("id").values()) == before


def test_what_a_schedule_calls_exists():
    for values in SCHEDULES.values():
        assert callable(pydoc.locate(values["func"]))


def test_the_sweep_comes_every_minute_for_ever():
    sweep = Schedule.objects.get(func="events.jobs.sweep_stale")
    assert (sweep.schedule_type, sweep.minutes, sweep.repeats) == (Schedule.MINUTES, 1, -1)


def test_the_audit_comes_every_hour_and_not_while_a_worker_begins():
    Schedule.objects.all().delete()
    call_command("migrate", verbosity=0)
    audit = Schedule.objects.get(func="events.jobs.audit_sample")
    assert (audit.schedule_type, audit.repeats) == (Schedule.HOURLY, -1)
    assert audit.next_run > timezone.now() + timedelta(minutes=5)
    assert Schedule.objects.get(func="events.jobs.sweep_stale").next_run <= timezone.now()


@pytest.mark.parametrize("job", ["check_drift", "check_fairness"])
def test_drift_and_fairness_are_looked_for_once_a_day(job):
    check = Schedule.objects.get(func=f"events.jobs.{job}")
    assert (check.schedule_type, check.repeats) == (Schedule.DAILY, -1)


def test_a_doubled_schedule_is_cleared_away_and_an_altered_one_corrected():
    name = next(iter(SCHEDULES))
    Schedule.objects.filter(name=name).update(func="os.abort")
    Schedule.objects.create(name=name, func="os.abort")
    ensure_schedules(using="default")
    assert Schedule.objects.get(name=name).func == SCHEDULES[name]["func"]


def test_a_schedule_that_was_deleted_comes_back():
    Schedule.objects.all().delete()
    ensure_schedules(using="default")
    assert Schedule.objects.count() == len(SCHEDULES)


def test_schedules_of_others_are_left_alone():
    Schedule.objects.create(name="the bank's own", func="math.sqrt")
    ensure_schedules(using="default")
    assert Schedule.objects.filter(name="the bank's own").exists()
