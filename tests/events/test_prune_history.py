"""Pruning by command and by schedule."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from customers.history import retention
from customers.models import ScoreChange, ScoreRecord
from customers.scoring import scorer
from events import jobs
from events.models.engine import Drain
from tests.factories import make_scored

pytestmark = pytest.mark.django_db


@pytest.fixture
def old_scores():
    """Three scores of one customer, of 100 days ago."""
    customer = make_scored()
    for _ in range(2):
        scorer.analyze(customer.pk)
    ScoreRecord.objects.update(scored_at=timezone.now() - timedelta(days=100))


@pytest.fixture
def drains():
    """One of today, one of last month."""
    for days in (0, 30):
        then = timezone.now() - timedelta(days=days)
        Drain.objects.create(worker="w", started_at=then, ended_at=then, claimed=1, stored=1, rejected=0, refused=0)


def test_the_command_deletes_what_is_older_than_it_is_told(old_scores, drains, capsys):
    call_command("prune_history", "--days", "99")
    assert capsys.readouterr().out == (
        "Deleted rows older than 99 days: 2 scores, 0 unscored versions, 0 acknowledged alerts, "
        "0 contacts and finished worklist items; "
        "and 1 scoring runs older than 7 days.\n"
    )
    assert (ScoreRecord.objects.count(), Drain.objects.count()) == (1, 1)


def test_without_a_number_the_settings_say_how_long(old_scores):
    call_command("prune_history", verbosity=0)
    assert ScoreRecord.objects.count() == 3


def test_a_dry_run_only_counts(old_scores, drains, capsys):
    call_command("prune_history", "--days", "99", "--dry-run")
    assert capsys.readouterr().out.startswith("Would delete rows older than 99 days: 2 scores, 0 unscored")
    assert (ScoreRecord.objects.count(), Drain.objects.count()) == (3, 2)


def test_the_job_does_the_same_by_the_settings(old_scores, drains, settings):
    settings.HISTORY_DAYS = 99
    assert jobs.prune_history() == 2
    assert (ScoreRecord.objects.count(), Drain.objects.count()) == (1, 1)
    assert not OrmQ.objects.exists()


def test_when_its_time_is_up_a_successor_goes_on_where_it_stopped(old_scores, settings, monkeypatch):
    settings.HISTORY_DAYS = 99
    settings.DRAIN_SECONDS = 0.0
    monkeypatch.setattr(retention, "SLICE_ROWS", 1)
    first = ScoreRecord.objects.order_by("id").first()
    assert jobs.prune_history() == 1
    (job,) = [job.task for job in OrmQ.objects.all()]
    assert (job["func"], job["args"]) == ("events.jobs.prune_history", (first.pk,))
    OrmQ.objects.all().delete()
    assert jobs.prune_history(*job["args"]) == 1


def test_it_comes_every_day_and_not_at_once():
    schedule = Schedule.objects.get(func="events.jobs.prune_history")
    assert (schedule.schedule_type, schedule.repeats) == (Schedule.DAILY, -1)
    assert schedule.next_run > timezone.now() + timedelta(hours=1)


@pytest.mark.parametrize("prune", [jobs.prune_history, lambda: call_command("prune_history", "--days", "99")])
def test_both_delete_what_the_feed_of_changes_has_of_former_days(old_scores, settings, prune):
    settings.FEED_DAYS = 3
    ScoreChange.objects.update(changed_at=timezone.now() - timedelta(days=4))
    newest = ScoreChange.objects.latest("id")
    ScoreChange.objects.filter(pk=newest.pk).update(changed_at=timezone.now() - timedelta(days=2))
    prune()
    assert ScoreChange.objects.get() == newest
