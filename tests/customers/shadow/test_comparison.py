"""How the two models compare: figures that plain numpy finds, too, on customers whom both have scored as they are."""

import json
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from customers.ml_service.performance import performance
from customers.models import Customer, Outcome, ShadowRun, ShadowScore
from customers.portfolio.movers import Mover
from customers.presentation.bands import band
from customers.presentation.durations import format_time
from customers.shadow import comparison, description
from tests.customers.shadow.proposing import drain, propose, start, work_off
from tests.factories import edit, make_customers

pytestmark = pytest.mark.django_db

CUSTOMERS = 130


@pytest.fixture
def run(strict_assets, settings, another_forest):
    settings.ONE_PERSON_RELEASES = False
    make_customers(CUSTOMERS)
    drain()
    start(propose(another_forest))
    work_off()
    return ShadowRun.objects.get()


def pairs():
    active = dict(Customer.objects.values_list("pk", "churn_risk_score"))
    proposed = dict(ShadowScore.objects.values_list("pk", "score"))
    return np.array([(active[it], proposed[it]) for it in sorted(active)]).T


def shadow(*arguments, **options):
    out = StringIO()
    call_command("shadow", *arguments, stdout=out, **options)
    return out.getvalue()


def test_a_job_compares_when_all_are_scored(run):
    found = comparison.figures_of(run)
    active, proposed = pairs()
    change = proposed - active
    assert found.customers == CUSTOMERS
    assert found.mean_active == pytest.approx(active.mean())
    assert found.mean_proposed == pytest.approx(proposed.mean())
    assert found.mean_distance == pytest.approx(np.abs(change).mean())
    assert found.correlation == pytest.approx(np.corrcoef(active, proposed)[0, 1])
    assert found.moved_far == pytest.approx((np.abs(change) > 0.1).mean())
    assert found.same_band == pytest.approx(
        np.mean([band(a) == band(p) for a, p in zip(active, proposed, strict=True)])
    )
    assert list(found.quantiles.values()) == pytest.approx(np.percentile(change, comparison.QUANTILES))
    movers = comparison.movers_of(run)
    assert [abs(it.after - it.before) for it in movers] == pytest.approx(np.sort(np.abs(change))[::-1][:10])


def test_only_scores_of_the_same_version_are_compared(run):
    edit(Customer.objects.first(), age=77)
    drain()
    assert comparison.compare(run).customers == CUSTOMERS - 1


def test_movers_who_have_objected_are_not_named(run):
    first = comparison.movers_of(run)[0].customer_id
    Customer.objects.filter(pk=first).set_objection(True)
    assert first not in [it.customer_id for it in comparison.movers_of(run)]


def test_without_outcomes_quality_is_not_told(run):
    found = comparison.figures_of(run)
    assert (found.with_outcome, found.active, found.proposed) == (0, None, None)


def test_with_outcomes_both_are_judged_on_the_same_customers(run):
    tomorrow = timezone.localdate() + timedelta(days=1)
    ids = sorted(Customer.objects.values_list("pk", flat=True))
    left = [i % 2 == 0 for i in range(CUSTOMERS)]
    Outcome.objects.bulk_create(
        Outcome(customer_id=it, **({"left_on": tomorrow} if gone else {"stayed_until": tomorrow}))
        for it, gone in zip(ids, left, strict=True)
    )
    found = comparison.compare(run)
    assert (found.with_outcome, found.left) == (CUSTOMERS, CUSTOMERS // 2)
    for scores, quality in zip(pairs(), (found.active, found.proposed), strict=True):
        expected = performance(left, scores.tolist())
        assert quality.roc_auc == pytest.approx(expected.roc_auc)
        assert quality.calibration_error == pytest.approx(expected.calibration_error)


def test_who_left_before_the_score_was_made_says_nothing(run):
    Outcome.objects.create(pk=Customer.objects.first().pk, left_on=date(2020, 1, 1))
    assert comparison.compare(run).with_outcome == 0


def test_differences_are_shown_in_points_of_a_percentage(run):
    found = replace(comparison.compare(run), mean_distance=0.034, quantiles={"5": -0.021})
    shown = dict(description.describe_agreement(found))
    assert shown["Mean absolute difference"] == "3.4\u00a0points"
    assert shown["Difference at percentile 5"] == "-2.1\u00a0points"
    assert [*description.describe_movers([Mover(7, 0.25, 0.5)])] == [
        ("7", "25.0\u00a0%", "50.0\u00a0%", "+25.0\u00a0points")
    ]


def test_whether_it_goes_on_is_told_in_sentences():
    at = timezone.now()
    run = ShadowRun(share=0.1, started_by="ben", started_at=at, start_reason="to compare.", unscored=3)
    started = f"Share: 10.0\u00a0% of all customers. Started on {format_time(at)} by ben: to compare."
    expected = f"In progress. {started} Scoring of these customers is not complete yet."
    assert description.describe_state(run) == expected
    run.swept_at = at
    assert description.describe_state(run) == (
        f"In progress. {started} Complete since {format_time(at)}. Later changes are scored as they occur. "
        "The proposed model could not score 3 customers."
    )
    run.stopped_at, run.stopped_by, run.stop_reason = at, "anna", "seen enough"
    assert description.describe_state(run) == f"Stopped on {format_time(at)} by anna: seen enough. {started}"


class TestCommand:
    def test_shows_how_they_compare(self, run):
        said = shadow()
        for expected in (
            "In progress. Share: 100.0",
            "130 customers",
            "Same risk band",
            "too few outcomes to tell",
            "points",
        ):
            assert expected in said

    def test_as_json(self, run):
        found = json.loads(shadow(json=True))
        assert found["comparison"]["customers"] == CUSTOMERS
        assert len(found["movers"]) == 10
        assert found["is_on"]

    def test_stops_with_a_name_and_a_reason(self, run):
        with pytest.raises(CommandError, match="--by USERNAME"):
            shadow(stop=True, reason="enough")
        with pytest.raises(CommandError, match="reason"):
            shadow(stop=True, by="ben")
        assert "by ben: enough." in shadow(stop=True, by="ben", reason="enough")
        with pytest.raises(CommandError, match="No model is being scored in shadow"):
            shadow(stop=True, by="ben", reason="enough")

    def test_starts_on_a_share(self, run):
        shadow(stop=True, by="ben", reason="enough")
        said = shadow("--start", str(run.proposal_id), "--share", "0.1", "--by", "ben", "--reason", "again")
        assert "In progress. Share: 10.0" in said
        assert "Not compared yet" in said

    @pytest.mark.parametrize("share", ["0", "1.5"])
    def test_an_impossible_share_is_refused(self, run, share):
        shadow(stop=True, by="ben", reason="enough")
        with pytest.raises(CommandError, match="share"):
            shadow("--start", str(run.proposal_id), "--share", share, "--by", "ben", "--reason", "again")

    def test_of_an_unknown_proposal_it_says_so(self, run):
        with pytest.raises(CommandError, match="There is no proposal"):
            shadow("--start", "999999", "--by", "ben", "--reason", "why")
