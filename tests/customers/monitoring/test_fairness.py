"""Groups of customers by their stored scores, and by who left, counted by PostgreSQL."""

import json
import logging
import random
from collections.abc import Mapping
from datetime import timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from customers.ml_service.fairness import FIELDS, GroupFigures, figures, masks, tally
from customers.ml_service.intervals import rate_of
from customers.ml_service.messages import NO_BREAK
from customers.models import Customer, FairnessCheck, ModelRelease
from customers.monitoring import fairness
from customers.monitoring.fairness import NothingToCheckError, measure
from customers.monitoring.window import Window
from customers.presentation.durations import format_day
from customers.releases.active import active_model
from customers.scoring import scorer
from tests.customers.monitoring.outcomes import make_past
from tests.factories import make_customer, make_scored, random_fields

pytestmark = pytest.mark.django_db

TODAY = timezone.localdate()
SCORED_ON = TODAY - timedelta(days=200)
FIRST_DAY, LAST_DAY = TODAY - timedelta(days=180), TODAY - timedelta(days=1)


def plainly(rows: list[Mapping], scores, left=None):
    """The figures of each group, from rows and scores in Python."""
    found = {}
    for field in FIELDS:
        column = np.array([row[field] for row in rows])
        found[field] = {
            group: figures(tally(np.array(scores)[mask], (0.25, 0.5, 0.75), None if left is None else left[mask]))
            for group, mask in masks(field, column).items()
            if mask.any()
        }
    return found


def as_far_as_floats_go(groups):
    return {
        (field, group): {
            **found.as_json(),
            "mean_score": None if found.mean_score is None else pytest.approx(found.mean_score),
        }
        for field, of_field in groups.items()
        for group, found in of_field.items()
    }


def same(groups, expected):
    return {key: value.as_json() for key, value in flat(groups).items()} == as_far_as_floats_go(expected)


def flat(groups):
    return {(field, group): found for field, of_field in groups.items() for group, found in of_field.items()}


@pytest.fixture
def portfolio():
    """Some hundred customers, almost all with a current score."""
    pick = random.Random(3)
    for _ in range(160):
        make_customer(**random_fields(pick))
    assert scorer.rescore_batch().stored == 160
    edited = list(Customer.objects.order_by("pk")[:5])
    Customer.objects.filter(pk__in=[customer.pk for customer in edited]).update(age=93)


@pytest.fixture
def past():
    """Outcomes of scores that the active release gave."""
    _, release = active_model()
    return make_past(400, scored_on=SCORED_ON, release=release.pk, known_until=LAST_DAY)


class TestCurrentScores:
    def test_figures_are_those_of_a_plain_count(self, portfolio):
        objecting = Customer.objects.order_by("-pk").first()
        Customer.objects.filter(pk=objecting.pk).update(objected_at=timezone.now())
        found = measure()
        current = list(Customer.objects.filter(stale_since=None, objected_at=None))
        assert found.customers == len(current) == 154
        expected = plainly([it.features() for it in current], [it.churn_risk_score for it in current])
        assert same(found.groups, expected)
        assert any(it.selected[0] is not None for it in flat(found.groups).values())

    def test_a_score_of_another_release_does_not_count(self, portfolio):
        ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        with pytest.raises(NothingToCheckError, match=r"has no current score yet"):
            measure()

    def test_thresholds_are_those_of_the_bank(self, portfolio, settings):
        settings.RISK_BANDS = [0.1, 0.9]
        found = measure()
        assert found.thresholds == [0.1, 0.9]
        assert {len(it.selected) for it in flat(found.groups).values()} == {2}

    def test_before_the_first_release_it_says_so(self):
        with pytest.raises(NothingToCheckError, match="No model has been released yet"):
            measure()


class TestOutcomes:
    def test_figures_are_those_of_a_plain_count(self, past):
        records, leaving = past
        left = np.array([record.customer_id in leaving for record in records]).astype(int)
        found = fairness.judge(Window(FIRST_DAY, LAST_DAY))
        expected = plainly([vars(record) for record in records], [record.score for record in records], left)
        assert same(found.groups, expected)
        assert sum(it.left for it in found.groups["gender"].values()) == len(leaving)

    def test_who_left_before_is_not_judged(self, past):
        _, leaving = past
        found = fairness.judge(Window(SCORED_ON + timedelta(days=31), LAST_DAY))
        assert sum(it.customers for it in found.groups["gender"].values()) == 400 - len(leaving)

    def test_the_release_that_gave_most_scores_is_judged_unless_one_is_named(self, past):
        release = ModelRelease.objects.active()
        few = {"release": release.pk + 7, "seed": 2, "first_id": 5 * 10**6, "gender": "Female"}
        make_past(30, scored_on=SCORED_ON, known_until=LAST_DAY, **few)
        window = Window(SCORED_ON + timedelta(days=1), SCORED_ON + timedelta(days=180))
        assert fairness.judge(window).release == release.pk
        other = fairness.judge(window, release.pk + 7)
        assert (other.release, list(other.groups["gender"])) == (release.pk + 7, ["Female"])
        assert other.groups["gender"]["Female"].customers == 30
        assert fairness.judge(window, release.pk + 8) is None

    def test_without_outcomes_it_says_so(self, portfolio):
        found = measure()
        assert found.judged is None
        assert found.no_outcomes == (
            "Outcomes are not known for a full period of 180 days. Only the current churn risks are compared."
        )

    def test_without_scores_before_the_outcomes_it_says_so(self, portfolio):
        make_past(5, scored_on=TODAY - timedelta(days=20), release=active_model()[1].pk, known_until=LAST_DAY)
        found = measure()
        assert found.judged is None
        assert found.no_outcomes.startswith(
            "No customer with a known outcome has a churn risk from before the latest 180 days"
        )

    def test_a_history_that_is_too_short_is_said_without_names_of_settings(self, portfolio, past, settings):
        settings.HISTORY_DAYS = 90
        found = measure()
        assert found.judged is None
        assert found.no_outcomes.startswith(
            "No customer with a known outcome has a churn risk from before the latest 180 days"
        )

    def test_scores_of_before_values_were_kept_are_left_out(self, past):
        release = ModelRelease.objects.active()
        early = {"release": release.pk, "first_id": 9 * 10**6, "age": None, "geography": ""}
        make_past(5, scored_on=SCORED_ON, known_until=LAST_DAY, **early)
        found = fairness.judge(Window(SCORED_ON + timedelta(days=1), SCORED_ON + timedelta(days=180)))
        assert "" not in found.groups["geography"]


def off_by(mean_score):
    """A check by which the oldest customers have scores of this mean, and a fifth of them has left."""
    groups = {"age": {"60+": GroupFigures(2000, mean_score, 400, rate_of(400, 2000))}}
    judged = fairness.Judged(4, FIRST_DAY, LAST_DAY, groups)
    return fairness.Fairness(4, [0.5], 10, {}, judged)


def test_scores_that_are_far_off_for_a_group_are_a_warning():
    assert off_by(0.21).warning == off_by(0.16).warning == ""
    assert off_by(0.3).warning.replace(NO_BREAK, " ") == (
        "Churn risks of release 4 do not match the share of customers who left: "
        "age 60+ (mean churn risk 30.0 %, left 20.0 %: too high)."
    )


class TestCheck:
    def test_it_keeps_what_it_found(self, portfolio, past):
        found = fairness.check()
        assert found.judged is not None
        kept = FairnessCheck.objects.get()
        assert fairness.fairness_of(kept) == found == measure()
        assert fairness.last_check(found.release) == kept

    def test_without_outcomes_too(self, portfolio):
        found = fairness.check()
        assert fairness.fairness_of(FairnessCheck.objects.get()) == found

    def test_outcomes_that_take_too_long_leave_the_current_scores(self, portfolio, past, monkeypatch):
        monkeypatch.setattr(fairness, "COUNT_JUDGED", "SELECT pg_sleep(20)")
        monkeypatch.setattr(fairness, "PATIENCE", "50ms")
        found = fairness.check()
        assert (found.customers, found.judged, found.no_outcomes) == (155, None, fairness.TOO_SLOW)
        assert fairness.fairness_of(FairnessCheck.objects.get()) == found

    def test_by_hand_they_may_take_their_time(self, portfolio, past, monkeypatch):
        monkeypatch.setattr(fairness, "PATIENCE", "1ms")
        assert measure().judged is not None

    def test_it_names_no_customer(self, portfolio, past):
        fairness.check()
        told = json.dumps(FairnessCheck.objects.values().get(), default=str)
        assert "Made Up" not in told
        assert "customer_id" not in told

    def test_a_warning_is_a_line_in_the_log(self, monkeypatch, caplog):
        make_scored()
        monkeypatch.setattr(fairness, "measure", lambda patience: off_by(0.3))
        fairness.check()
        [line] = [record for record in caplog.records if record.name == "vigilpay.fairness"]
        assert (line.levelno, "age 60+" in line.message) == (logging.WARNING, True)

    def test_those_older_than_the_history_are_forgotten(self, portfolio, settings):
        fairness.check()
        FairnessCheck.objects.update(checked_at=timezone.now() - timedelta(days=settings.HISTORY_DAYS + 1))
        fairness.check()
        assert FairnessCheck.objects.count() == 1


def run(*arguments):
    """What a call prints, and how it exits."""
    out = StringIO()
    try:
        call_command("fairness", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue().replace(NO_BREAK, " "), str(error), error.returncode
    return out.getvalue().replace(NO_BREAK, " "), "", 0


class TestCommand:
    def test_it_prints_groups_by_threshold_and_by_outcomes(self, portfolio, past):
        printed, error, code = run()
        assert (error, code) == ("", 0)
        assert "155 customers with an up-to-date score" in printed
        assert "score of 25.0 % or more" in printed
        assert f"customers who left from {format_day(FIRST_DAY)} to {format_day(LAST_DAY)}" in printed
        assert "age 60+" in printed
        assert "Hardt, Price and Srebro 2016" in printed
        assert not FairnessCheck.objects.exists()

    def test_as_json(self, portfolio):
        printed, _, code = run("--json")
        told = json.loads(printed)
        assert (told["customers"], told["judged"], code) == (155, None, 0)
        assert set(told["groups"]) == set(FIELDS)

    def test_without_outcomes_it_says_how_to_load_them(self, portfolio):
        assert "current churn risks are compared. Load outcomes with manage.py import_outcomes." in run()[0]

    def test_scores_that_are_far_off_fail(self, monkeypatch):
        monkeypatch.setattr("customers.management.commands.fairness.measure", lambda: off_by(0.3))
        assert run()[1:] == (off_by(0.3).warning, 1)

    def test_with_nothing_to_check_it_says_why(self):
        assert run() == ("", "Nothing was checked. No model has been released yet.", 2)
