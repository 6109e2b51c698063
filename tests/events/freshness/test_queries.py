"""Freshness as numbers, against rows that are as they are said to be."""

from dataclasses import asdict
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ

from customers.models import Customer, DriftCheck, ModelRelease, ScoreRecord, ScoringFailure
from customers.scoring import scorer
from events.freshness import queries as of
from events.freshness.queries import LAG_STEPS_SECONDS, Coverage, Recent, freshness
from events.models.engine import Drain, Worker
from events.queue import pause
from tests.factories import (
    edit,
    make_customer,
    make_customers,
    make_failure,
    make_scored,
    score_by_a_model_taken_back,
    write_as_scorer,
)

pytestmark = pytest.mark.django_db


def another_release():
    return ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)


def went_stale(customer, seconds):
    """Have the row say that it went stale so long ago."""
    write_as_scorer(customer, stale_since=timezone.now() - timedelta(seconds=seconds))


def scored_after(seconds, *, ago=1.0, cause="edited"):
    scored_at = timezone.now() - timedelta(seconds=ago)
    return ScoreRecord.objects.create(
        customer_id=1,
        cause=cause,
        score=0.5,
        version=1,
        scored_by_id=1,
        stale_since=scored_at - timedelta(seconds=seconds),
        scored_at=scored_at,
    )


class TestPortfolio:
    def test_without_customers_none_is_stale(self):
        found = freshness()
        assert (found.status, found.customers, found.stale_count) == ("current", 0, 0)
        assert found.oldest_stale_age_seconds is None
        assert found.coverage == []

    def test_every_customer_counts_for_the_release_that_scored_it(self):
        scored = [make_scored() for _ in range(2)]
        make_customer()
        Customer.objects.filter(pk=scored[0].pk).update(age=77)
        release = ModelRelease.objects.active()
        found = freshness()
        assert found.coverage == [Coverage(None, 1, 1), Coverage(release.pk, 2, 1)]
        assert (found.customers, found.stale_count) == (3, 2)
        assert found.active_release.id == release.pk

    def test_the_oldest_stale_row_gives_the_age(self):
        old, new = make_customers(2)
        went_stale(old, 50)
        went_stale(new, 20)
        assert 50 <= freshness().oldest_stale_age_seconds < 60

    def test_after_a_release_all_customers_are_stale_since_then(self):
        make_scored()
        release = another_release()
        ModelRelease.objects.filter(pk=release.pk).update(released_at=timezone.now() - timedelta(seconds=30))
        found = freshness()
        assert (found.stale_count, found.status) == (1, "catching up")
        assert 30 <= found.oldest_stale_age_seconds < 40

    def test_agrees_with_the_rows_themselves(self):
        make_customers(3)
        for customer in [make_scored() for _ in range(3)][:1]:
            Customer.objects.filter(pk=customer.pk).update(tenure=9)
        assert freshness().stale_count == Customer.objects.stale().count() == 4
        another_release()
        assert freshness().stale_count == Customer.objects.stale().count() == 6

    def test_so_it_does_once_the_newest_model_is_taken_back(self):
        make_scored()
        score_by_a_model_taken_back(make_scored())
        assert freshness().stale_count == Customer.objects.stale().count() == 1

    def test_stale_for_long_is_behind(self, settings):
        make_scored()
        went_stale(make_customer(), 30)
        assert freshness().status == "catching up"
        settings.BEHIND_SECONDS = 20
        assert freshness().status == "behind"


class TestFailures:
    def test_a_dead_letter_is_stale_but_does_not_wait_for_a_worker(self):
        make_scored()
        customer = make_customer()
        went_stale(customer, 500)
        make_failure(customer)
        found = freshness()
        assert (found.status, found.dead_letters, found.retries_waiting) == ("failing", 1, 0)
        assert (found.stale_count, found.held_back_count) == (1, 1)
        assert found.oldest_stale_age_seconds >= 500

    def test_who_will_be_tried_again_is_no_dead_letter(self):
        make_scored()
        make_failure(make_customer(), retry_at=timezone.now() + timedelta(minutes=1))
        found = freshness()
        assert (found.status, found.dead_letters, found.retries_waiting) == ("catching up", 0, 1)

    def test_an_edit_since_or_another_model_makes_the_failure_history(self):
        make_scored()
        customer = make_customer()
        make_failure(customer)
        Customer.objects.filter(pk=customer.pk).update(age=55)
        assert (freshness().dead_letters, freshness().held_back_count) == (0, 0)
        customer.refresh_from_db()
        ScoringFailure.objects.update(version=customer.version)
        assert freshness().dead_letters == 1
        another_release()
        assert (freshness().dead_letters, freshness().held_back_count) == (0, 0)

    def test_a_failure_of_a_deleted_customer_does_not_count(self):
        make_scored()
        customer = make_customer()
        make_failure(customer)
        customer.delete()
        assert freshness().dead_letters == 0


class TestLag:
    def test_each_score_counts_in_all_steps_that_are_long_enough(self):
        for seconds in (0.004, 0.03, 0.3, 100):
            scored_after(seconds)
        histogram = {step.within_seconds: step.scores for step in freshness().lag.histogram}
        assert list(histogram) == [*LAG_STEPS_SECONDS, None]
        assert [histogram[step] for step in (0.01, 0.025, 0.05, 0.25, 0.5, 60.0, None)] == [1, 1, 2, 2, 3, 3, 4]

    def test_half_of_the_scores_and_nearly_all(self):
        for number in range(1, 101):
            scored_after(number / 100)
        lag = freshness().lag
        assert (lag.scores, lag.p50_seconds, lag.p99_seconds) == (100, 0.5, 0.99)

    def test_only_answers_to_edits_count_and_only_those_of_the_last_minutes(self):
        scored_after(0.1, ago=of.LAG_WINDOW_SECONDS + 60)
        scored_after(0.1, cause="release")
        scored_after(0.1, cause="retry")
        lag = freshness().lag
        assert (lag.scores, lag.p50_seconds, lag.p99_seconds) == (0, None, None)
        scored_after(0.1, cause="created")
        assert freshness().lag.scores == 1

    def test_real_scores_have_a_lag(self):
        make_customers(3)
        scorer.rescore_batch()
        assert freshness().lag.scores == 3
        assert freshness().lag.p99_seconds > 0


class TestEngine:
    @pytest.mark.parametrize(
        ("worker", "waiting", "at_work"),
        [
            ({"started": 30, "looked": 0.5}, 1, 2),
            ({"started": 10, "looked": 0.5}, 2, 1),  # it took the place of one that was killed with the older job
            ({"started": 30, "looked": 60}, 3, 0),
            ({"started": 1, "looked": None}, 3, 0),
            (None, 3, 0),
        ],
        ids=["running", "started anew", "gone", "starting", "none"],
    )
    def test_jobs_wait_or_are_at_work(self, worker, waiting, at_work):
        now = timezone.now()
        OrmQ.objects.create(key="vigilpay", payload="", lock=now - timedelta(seconds=1))
        for claimed_ago in (20, 5):
            OrmQ.objects.create(key="vigilpay", payload="", lock=now + timedelta(seconds=Conf.RETRY - claimed_ago))
        OrmQ.objects.create(key="another queue", payload="", lock=now)
        if worker:
            looked_at = worker["looked"] and now - timedelta(seconds=worker["looked"])
            started_at = now - timedelta(seconds=worker["started"])
            Worker.objects.create(name="here", host="h", started_at=started_at, looked_at=looked_at)
        queue = freshness().queue
        assert (queue.waiting_jobs, queue.claimed_jobs) == (waiting, at_work)

    def test_workers_run_as_long_as_they_leave_heartbeats(self):
        now = timezone.now()
        for name, ago in [("here", 0.5), ("there", 1.5), ("gone", 60)]:
            Worker.objects.create(name=name, host="h", started_at=now, looked_at=now - timedelta(seconds=ago))
        Worker.objects.create(name="starting", host="h", started_at=now)
        assert freshness().workers_running == 2

    @pytest.mark.parametrize(
        ("left", "running"),
        [
            ({"looked": 25, "guarded": 0.5, "claimed": 25}, 1),
            ({"looked": 25, "claimed": 25}, 1),
            ({"looked": 25, "acknowledged": 2}, 1),
            ({"looked": 25, "guarded": 25, "claimed": 25}, 0),
            ({"looked": 90, "claimed": 90}, 0),
            ({"looked": 25}, 0),
        ],
        ids=["in a storm", "without a supervisor", "between two jobs", "killed", "killed without a supervisor", "idle"],
    )
    def test_a_worker_at_work_runs_though_its_pusher_waits_to_hand_on_a_job(self, left, running):
        now = timezone.now()
        values = {f"{name}_at": now - timedelta(seconds=seconds) for name, seconds in left.items()}
        Worker.objects.create(name="here", host="h", started_at=now - timedelta(seconds=100), **values)
        assert freshness().workers_running == running

    def test_marks_wait(self):
        before = freshness().marks_waiting
        make_customer()
        assert freshness().marks_waiting == before + 1

    def test_the_last_drain_and_what_came_too_late(self):
        now = timezone.now()
        counts = {"claimed": 9, "refused": 0, "worker": "here:1"}
        for ended_hours_ago, rejected in [(30, 4), (2, 2), (0, 1)]:
            ended = now - timedelta(hours=ended_hours_ago, seconds=3)
            Drain.objects.create(
                started_at=ended - timedelta(seconds=2),
                ended_at=ended,
                stored=8 - rejected,
                rejected=rejected,
                **counts,
            )
        found = freshness()
        assert found.results_rejected_last_day == 3
        assert (found.last_drain.stored, found.last_drain.worker) == (7, "here:1")
        assert found.last_drain.took_seconds == pytest.approx(2)
        assert 3 <= found.last_drain.ended_seconds_ago < 30

    def test_a_pause_is_what_it_says_first(self):
        make_customer()
        pause.pause(by="ann", reason="model under review")
        found = freshness()
        assert found.status == "paused"
        assert (found.paused.by, found.paused.reason) == ("ann", "model under review")
        assert "by ann: model under review. 1 customer waiting for a score" in found.status_reason

    def test_as_a_dict_it_is_plain_down_to_the_ground(self):
        make_scored()
        told = asdict(freshness())
        assert told["coverage"][0] == {"release": ModelRelease.objects.active().pk, "customers": 1, "stale_count": 0}
        assert told["lag"]["histogram"][-1] == {"within_seconds": None, "scores": told["lag"]["scores"]}


def checked_for_drift(psi, *, by_chance=0.01, release=None):
    shift = {"psi": psi, "by_chance": by_chance, "moved_most": {"bin": "any", "reference_share": 1.0, "share": 1.0}}
    return DriftCheck.objects.create(
        release=release or ModelRelease.objects.active(),
        reference_rows=8000,
        customers=1000,
        scores=1000,
        shifts=[{"column": "tenure", **shift, "psi": psi / 2}, {"column": "age", **shift}],
    )


class TestDrift:
    def test_before_the_first_check_nothing_is_known(self):
        make_scored()
        assert (freshness().last_drift_check, freshness().warnings) == (None, [])

    def test_the_column_that_moved_most_is_told(self):
        make_scored()
        checked_for_drift(0.02)
        check = checked_for_drift(0.05)
        told = freshness().last_drift_check
        assert (told.checked_at, told.column, told.psi, told.verdict) == (check.checked_at, "age", 0.05, "stable")
        assert freshness().warnings == []

    def test_a_shift_is_a_warning_and_scores_are_as_fresh_as_before(self, settings):
        make_scored()
        checked_for_drift(0.3)
        found = freshness()
        assert found.status == "current"
        assert found.warnings == [
            "The customers differ from those the model was trained on: "
            "age (PSI 0.30, major shift), years with the bank (PSI 0.15, moderate shift)."
        ]
        settings.DRIFT_WARNING = settings.DRIFT_ALARM = 0.4
        assert freshness().warnings == []

    def test_what_chance_could_do_is_none(self):
        make_scored()
        checked_for_drift(0.3, by_chance=0.5)
        assert (freshness().last_drift_check.verdict, freshness().warnings) == ("too few to tell", [])

    def test_nor_is_what_was_found_of_a_former_release(self):
        make_scored()
        checked_for_drift(0.3)
        another_release()
        assert (freshness().last_drift_check, freshness().warnings) == (None, [])


class TestPatience:
    def test_it_gives_up_where_the_database_can_not_tell_in_time(self, monkeypatch):
        monkeypatch.setattr(of, "PATIENCE", "50ms")
        monkeypatch.setattr(of, "ENGINE", "SELECT pg_sleep(60)")
        with pytest.raises(OperationalError, match="statement timeout"):
            freshness()

    def test_and_leaves_no_limit_behind(self):
        freshness()
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)

    def test_who_asks_again_at_once_gets_the_same_answer(self):
        recent = Recent()
        first = recent.get()
        make_customer()
        assert recent.get() is first
        assert Recent().get().customers == 1

    def test_an_answer_grows_old(self, monkeypatch):
        monkeypatch.setattr(of, "RECENT_SECONDS", 0.0)
        monkeypatch.setattr(of, "RECENT_TIMES", 0)
        recent = Recent()
        assert recent.get().customers == 0
        make_customer()
        assert recent.get().customers == 1


class TestObjections:
    def test_they_are_counted_apart_and_are_never_stale(self):
        objector, scored = make_scored(), make_scored()
        make_customer(objected_at=timezone.now())
        edit(objector, objected_at=timezone.now())
        another_release()
        found = freshness()
        assert (found.customers, found.objected, found.stale_count) == (3, 2, 1)
        assert [(group.release, group.customers) for group in found.coverage] == [(scored.scored_by_id, 1)]

    def test_where_all_others_are_scored_the_scores_are_current(self):
        make_scored()
        make_customer(objected_at=timezone.now())
        found = freshness()
        assert (found.status, found.stale_count, found.held_back_count) == ("current", 0, 0)

    def test_a_failure_of_a_customer_who_objects_since_is_none(self):
        customer = make_customer()
        scorer.active_model()
        make_failure(customer)
        edit(customer, objected_at=timezone.now())
        found = freshness()
        assert (found.status, found.dead_letters, found.held_back_count) == ("current", 0, 0)


def test_those_whom_staff_have_excluded_are_told_from_the_models_own():
    by_model, by_staff = make_customers(2)
    scorer.active_model()
    make_failure(by_model)
    make_failure(by_staff, reason="person", error="set aside by clerk")
    found = freshness()
    assert (found.status, found.dead_letters, found.excluded_by_staff) == ("failing", 2, 1)
