import json

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.inspection import partial_dependence
from sklearn.metrics import brier_score_loss, roc_auc_score

from customers.ml_service import FEATURES, GEOGRAPHIES, fairness
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.forest.compiled import build
from customers.ml_service.forest.encoding import Encodings, encode_rows
from customers.ml_service.intervals import rate_of
from customers.ml_service.training import TrainingData
from customers.ml_service.training.diagnostics import (
    FEW_CUSTOMERS,
    calibration,
    diagnose,
    effects,
    importances,
    limits,
    subgroups,
)
from tests.customers.ml_service.forests import as_numbers, diagnosis, fit, left

ROWS = generate_rows(600, seed=1)
LABELS = left(ROWS)
MATRIX = encode_rows(ROWS, Encodings())
COLUMNS = {name: np.array([row[index] for row in ROWS]) for index, name in enumerate(FEATURES)}
# As out-of-fold scores are: different for all customers, and neither perfect nor blind.
SCORES = np.clip(0.3 * LABELS + np.random.default_rng(5).uniform(0.0, 0.7, len(LABELS)), 0.0, 1.0)


@pytest.fixture(scope="module")
def forest():
    return fit(600, seed=1, n_estimators=20, min_samples_leaf=5)


def test_the_calibration_curve_is_that_of_scikit_learn():
    curve = calibration(LABELS, SCORES)
    observed, mean_scores = calibration_curve(LABELS, SCORES, n_bins=10, strategy="quantile")
    assert [found["customers"] for found in curve] == [60] * 10
    assert [found["mean_score"] for found in curve] == pytest.approx(mean_scores, abs=1e-5)
    assert [found["observed"] for found in curve] == pytest.approx(observed, abs=1e-5)


def test_few_customers_or_equal_scores_still_have_a_calibration_curve():
    assert sum(found["customers"] for found in calibration(LABELS[:4], SCORES[:4])) == 4
    same = calibration(LABELS, np.full(len(LABELS), 0.25))
    assert {found["mean_score"] for found in same} == {0.25}


def test_a_decisive_field_is_important_and_an_irrelevant_one_is_not(forest):
    found = importances(forest, MATRIX, LABELS, seed=2)["features"]
    assert found["age"]["mean"] > 0.1
    assert found["num_of_products"]["mean"] > 0.03
    for irrelevant in ("has_cr_card", "gender", "tenure"):
        assert abs(found[irrelevant]["mean"]) < 0.02
    assert all(figure["std"] >= 0 for figure in found.values())


def test_noise_that_a_forest_has_learned_by_heart_is_no_importance():
    """On its own rows a full-grown forest would lose much by every field; judged on others it has nothing to lose."""
    labels = np.random.default_rng(1).integers(0, 2, len(ROWS))
    forest = fit(600, seed=1).fit(as_numbers(ROWS), labels)
    assert roc_auc_score(labels, forest.predict_proba(as_numbers(ROWS))[:, 1]) > 0.95
    found = importances(forest, MATRIX, labels, seed=2)["features"]
    assert max(abs(figure["mean"]) for figure in found.values()) < 0.04


def test_measuring_importances_leaves_the_forest_as_it_was(forest):
    before = forest.predict_proba(as_numbers(ROWS))
    importances(forest, MATRIX, LABELS, seed=2)
    assert forest.n_jobs is None
    assert (forest.predict_proba(as_numbers(ROWS)) == before).all()


@pytest.mark.parametrize("name", ["age", "num_of_products", "is_active_member"])
def test_effect_shapes_are_the_partial_dependence_of_scikit_learn(forest, name):
    few = slice(0, 400)  # all of these, where more would be sampled
    found = effects(build(forest), Encodings(), MATRIX[few], COLUMNS, seed=2)[name]
    column = FEATURES.index(name)
    theirs = partial_dependence(
        forest,
        as_numbers(ROWS[few]),
        [column],
        custom_values={column: found["values"]},
        method="brute",
        response_method="predict_proba",
    )
    assert found["scores"] == pytest.approx(theirs["average"][0], abs=1e-5)


def test_effects_cover_what_was_seen_from_end_to_end(forest):
    found = effects(build(forest), Encodings(), MATRIX, COLUMNS, seed=2)
    assert list(found) == list(FEATURES)
    assert found["geography"]["values"] == list(GEOGRAPHIES)
    assert found["has_cr_card"]["values"] == [0, 1]
    assert found["num_of_products"]["values"] == [1, 2, 3, 4]
    assert found["tenure"]["values"] == list(range(11))
    assert (found["age"]["values"][0], found["age"]["values"][-1]) == (COLUMNS["age"].min(), COLUMNS["age"].max())
    assert len(found["age"]["values"]) == 21


def test_a_category_is_shown_by_its_own_code(forest):
    plain, other = Encodings(), Encodings(geography={"France": 1, "Germany": 0, "Spain": 2})
    as_is, swapped = (effects(build(forest), codes, MATRIX, COLUMNS, seed=2)["geography"] for codes in (plain, other))
    assert swapped["scores"][:2] == as_is["scores"][1::-1]
    assert as_is["scores"][0] != as_is["scores"][1]


def test_no_exact_balance_is_told():
    odd = [(*row[:5], 12_345.67, *row[6:]) for row in ROWS[:50]] + list(ROWS[50:])
    found = json.dumps(diagnosis_of(odd))
    assert "12345" not in found
    assert "12,345" not in found
    largest = max(row[5] for row in odd)
    assert f"{largest:.0f}" not in found


def test_subgroup_figures_are_those_of_scikit_learn():
    found = subgroups(COLUMNS, LABELS, SCORES)
    germans = COLUMNS["geography"] == "Germany"
    assert found["geography"]["Germany"] == {
        **rates_of(LABELS[germans], SCORES[germans]),
        "customers": germans.sum(),
        "churn_rate": pytest.approx(LABELS[germans].mean(), abs=1e-5),
        "mean_score": pytest.approx(SCORES[germans].mean(), abs=1e-5),
        "roc_auc": pytest.approx(roc_auc_score(LABELS[germans], SCORES[germans]), abs=1e-5),
        "brier": pytest.approx(brier_score_loss(LABELS[germans], SCORES[germans]), abs=1e-5),
    }
    assert found["geography"]["Germany"]["true_positive"][1][0] > found["geography"]["Germany"]["false_positive"][1][0]
    middle = (COLUMNS["age"] >= 45) & (COLUMNS["age"] <= 59)
    assert found["age"]["45-59"]["customers"] == middle.sum()
    assert found["age"]["45-59"]["roc_auc"] == pytest.approx(roc_auc_score(LABELS[middle], SCORES[middle]), abs=1e-5)


def rates_of(labels, scores):
    """With their intervals, cut to four digits."""
    found = fairness.figures(fairness.tally(scores, fairness.THRESHOLDS, labels))
    by_threshold = {name: getattr(found, name) for name in ("selected", "true_positive", "false_positive")}
    return {name: [pytest.approx(list(rate), abs=1e-4) for rate in rates] for name, rates in by_threshold.items()}


def test_the_thresholds_are_those_of_the_bank():
    assert subgroups(COLUMNS, LABELS, SCORES, (0.3,))["gender"]["Male"]["selected"] == [
        pytest.approx(list(rate_of((SCORES[men] >= 0.3).sum(), men.sum())), abs=1e-4)
        for men in [COLUMNS["gender"] == "Male"]
    ]


def test_every_customer_is_in_one_group_of_each_kind():
    found = subgroups(COLUMNS, LABELS, SCORES)
    assert list(found) == list(fairness.FIELDS)
    assert list(found["age"]) == ["18-29", "30-44", "45-59", "60+"]
    for groups in found.values():
        assert sum(group["customers"] for group in groups.values()) == len(ROWS)


@pytest.mark.parametrize(
    ("customers", "leavers", "rates", "quality"),
    [(1, 0, False, False), (9, 4, False, False), (30, 0, True, False), (30, 30, True, False),
     (30, 9, True, False), (30, 10, True, True)],
)  # fmt: skip
def test_small_or_one_sided_groups_are_told_as_far_as_they_can_be(customers, leavers, rates, quality):
    rows = [(*row[:1], "Spain", *row[2:]) for row in ROWS[:customers]]
    rows += [(*row[:1], "France", *row[2:]) for row in ROWS[customers:]]
    labels = np.array([1] * leavers + [0] * (customers - leavers) + [0, 1] * 300)[: len(rows)]
    columns = {name: np.array([row[index] for row in rows]) for index, name in enumerate(FEATURES)}
    spain = subgroups(columns, labels, SCORES)["geography"]["Spain"]
    assert spain["customers"] == customers
    assert [spain[name] is not None for name in ("churn_rate", "mean_score")] == [rates] * 2
    assert [spain[name] is not None for name in ("roc_auc", "brier")] == [quality] * 2


def test_limits_tell_ranges_and_groups_of_few():
    found = limits(COLUMNS)
    assert list(found["ranges"]["age"]) == [COLUMNS["age"].min(), COLUMNS["age"].max()]
    assert found["few"] == FEW_CUSTOMERS
    assert found["small_groups"]["num_of_products"] == {"1": 150, "2": 150, "3": 150, "4": 150}
    assert found["small_groups"]["age"]["70-79"] == ((COLUMNS["age"] >= 70) & (COLUMNS["age"] < 80)).sum()
    assert found["small_groups"]["gender"] == {}


def test_of_many_countries_those_of_most_customers_have_figures():
    words = np.array([f"Country {number % 25:02}" for number in range(len(ROWS))])
    words[:60] = "Country 07"
    columns = {**COLUMNS, "geography": words}
    found = limits(columns)["small_groups"]["geography"]
    assert len(found) == fairness.MOST_WORDS
    assert max(found, key=found.get) == "Country 07"
    groups = subgroups(columns, left(ROWS), SCORES)["geography"]
    assert groups.keys() == {*found, fairness.OTHER_WORDS}


def test_the_diagnosis_is_small_json_and_the_same_for_the_same_seed():
    found = diagnosis()
    assert json.loads(json.dumps(found)).keys() == found.keys()
    assert len(json.dumps(found)) < 13_000
    assert diagnosis() == found


def diagnosis_of(rows):
    labels = left(rows)
    model = fit(50).fit(as_numbers(rows), labels)
    return diagnose(model, Encodings(), TrainingData(rows, labels), SCORES, seed=1)
