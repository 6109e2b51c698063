"""The performance that scores promise, against the one that outcomes show, on customers unlike those in training."""

import json
import sys
from functools import partial
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from numpy.random import default_rng
from sklearn.metrics import roc_auc_score

from customers.demo_data import generate
from customers.ml_service.forest.encoding import encode_rows
from customers.ml_service.performance import calibrated, expected_roc_auc, roc_auc_error
from customers.ml_service.training.data import TrainingData, learn_encodings
from customers.ml_service.training.fitting import SETTINGS, fit_forest
from customers.ml_service.training.quality import calibration_slope
from customers.ml_service.training.validation import judge
from customers.models import Customer, ModelRelease
from customers.monitoring import estimation
from customers.monitoring.estimation import NO_CONCEPT_DRIFT, NothingToEstimateError, estimate
from tests.customers.churn_labels import churn_labels
from tests.factories import make_customer, make_scored

SHIFTS, ROWS = 50, 4_000
TOLERANCE = 0.02
TREES = 40


def labelled(number, seed):
    rows = list(generate(number, seed))
    return TrainingData(rows, churn_labels(rows, seed).astype(np.int64))


@pytest.fixture(scope="module")
def forest():
    """A forest of 6,000 made-up customers: what gives a score, and its calibration slope in cross-validation."""
    data = labelled(6_000, seed=161)
    fit = partial(fit_forest, settings={**SETTINGS, "n_estimators": TREES}, seed=1)
    out_of_fold = judge(data, {"forest": fit}, seed=1)["forest"].out_of_fold
    encodings = learn_encodings(data)
    model = fit(encode_rows(data.rows, encodings), data.labels)
    return partial(scored, model, encodings), calibration_slope(data.labels, out_of_fold)


def scored(model, encodings, data):
    matrix = encode_rows(data.rows, encodings)
    return matrix, model.predict_proba(matrix)[:, 1]


def shifted(matrix, seed):
    """Customers drawn by a random direction in their fields, so that some kinds become many and others few."""
    rng = default_rng([16, seed])
    direction = rng.normal(size=matrix.shape[1])
    direction *= rng.uniform(0.3, 1.5) / np.linalg.norm(direction)
    leaning = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0) @ direction
    return np.argsort(-(leaning + rng.gumbel(size=len(matrix))))[:ROWS]  # Gumbel's way to draw without replacement


@pytest.mark.slow
def test_on_fifty_shifts_of_the_customers_the_estimate_comes_true(forest):
    score, slope = forest
    unseen = labelled(12_000, seed=162)
    matrix, scores = score(unseen)
    held, report = [], []
    for seed in range(SHIFTS):
        chosen = shifted(matrix, seed)
        left, given = unseen.labels[chosen], scores[chosen]
        found = expected_roc_auc(given, calibrated(given, slope), np.ones(ROWS))
        realised = float(roc_auc_score(left, given))
        half_width = 1.96 * roc_auc_error(realised, int(left.sum()), int(ROWS - left.sum()))
        held.append(abs(found - realised) <= TOLERANCE + half_width)
        report.append(f"shift {seed}: estimated {found:.4f}, realised {realised:.4f} ± {half_width:.4f}")
    sys.stdout.write("\n".join(report))
    assert sum(held) >= 0.9 * SHIFTS


@pytest.mark.slow
def test_it_does_not_see_that_customers_behave_otherwise(forest):
    """What it says of itself: where leaving has become a matter of chance, the estimate stays as it was."""
    score, slope = forest
    unseen = labelled(4_000, seed=163)
    _matrix, scores = score(unseen)
    found = expected_roc_auc(scores, calibrated(scores, slope), np.ones(len(scores)))
    by_chance = default_rng(164).permutation(unseen.labels)
    assert found - roc_auc_score(by_chance, scores) > 0.25
    assert "cannot see" in NO_CONCEPT_DRIFT


@pytest.mark.django_db
class TestStoredScores:
    def test_all_current_scores_count_and_no_other(self):
        for age in (25, 35, 45, 55, 65):
            make_scored(age=age)
        stale, objector = make_scored(age=30), make_scored(age=50)
        Customer.objects.filter(pk=stale.pk).update(age=31)
        Customer.objects.filter(pk=objector.pk).set_objection(True)
        make_customer()
        scores = np.array(
            Customer.objects.filter(stale_since=None, objected_at=None).values_list("churn_risk_score", flat=True)
        )
        found = estimate()
        probabilities = calibrated(scores, found.slope)
        assert found.customers == len(scores) == 5
        assert found.roc_auc == pytest.approx(expected_roc_auc(scores, probabilities, np.ones(5)), abs=1e-4)
        assert found.share_leaving == pytest.approx(probabilities.mean(), abs=1e-4)

    def test_a_release_without_calibration_is_taken_at_its_word(self):
        make_scored()
        ModelRelease.objects.update(metadata={"metrics": {"calibration": {"slope": "steep"}}})
        found = estimate()
        assert (found.slope, found.roc_auc_in_training) == (None, None)
        assert found.share_leaving == pytest.approx(Customer.objects.get().churn_risk_score, abs=1e-9)
        assert "keeps no calibration" in told()

    def test_without_scores_it_says_what_to_do(self):
        with pytest.raises(NothingToEstimateError, match="run_worker"):
            estimate()
        make_scored()
        Customer.objects.update(age=44)
        with pytest.raises(NothingToEstimateError, match=r"manage\.py freshness"):
            estimate()
        with pytest.raises(CommandError, match="Nothing was estimated"):
            told()

    def test_the_command_says_what_the_figure_cannot_show(self):
        make_scored(age=30), make_scored(age=60)
        found = estimate()
        assert f"Estimated ROC AUC: {found.roc_auc:.4f}" in told()
        assert NO_CONCEPT_DRIFT in told()
        answer = json.loads(told("--json"))
        assert answer["roc_auc"] == found.roc_auc
        assert answer["caveat"] == estimation.NO_CONCEPT_DRIFT


def told(*arguments):
    output = StringIO()
    call_command("estimate_performance", *arguments, stdout=output)
    return output.getvalue()
