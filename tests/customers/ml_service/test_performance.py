"""Figures of scores against what happened."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from customers.ml_service.performance import (
    FEWEST,
    calibrated,
    calibration,
    calibration_error,
    expected_roc_auc,
    lift,
    performance,
    recall,
    roc_auc_error,
)

FIVE_OF_TWENTY = np.array([1, 0, 1, 1, 0, 1, 1] + [0] * 13)


def made_up(number=4000, seed=5):
    """Honest scores: each customer left with the very probability that is the score."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(1, 4, number)
    return rng.random(number) < scores, scores


def test_the_figures_are_scikit_learns():
    left, scores = made_up()
    found = performance(left.tolist(), scores.tolist())
    assert found.roc_auc == pytest.approx(roc_auc_score(left, scores))
    assert found.pr_auc == pytest.approx(average_precision_score(left, scores))
    assert found.brier == pytest.approx(brier_score_loss(left, scores))


def test_the_error_of_the_auc_is_about_its_spread_over_draws():
    drawn = [performance(*map(list, made_up(600, seed))) for seed in range(60)]
    spread = np.std([found.roc_auc for found in drawn])
    assert np.mean([found.roc_auc_error for found in drawn]) == pytest.approx(spread, rel=0.35)


def test_a_perfect_order_has_no_error():
    assert roc_auc_error(1.0, 50, 50) == 0.0


def test_honest_scores_are_calibrated_and_others_are_not():
    left, scores = made_up(20_000)
    assert performance(left, scores).calibration_error < 0.015
    assert performance(left, scores / 2).calibration_error > 0.08


def test_with_too_few_of_either_there_are_no_figures():
    enough = [True] * FEWEST + [False] * FEWEST
    scores = np.linspace(0, 1, 2 * FEWEST)
    assert performance(enough, scores) is not None
    assert performance([*enough[1:], False], scores) is None
    assert performance([True, *enough[:-1]], scores) is None
    assert performance([], []) is None


class TestTheRiskiestTenth:
    def test_where_the_riskiest_tenth_are_those_who_left(self):
        assert lift(np.arange(100) >= 90, np.arange(100.0)) == pytest.approx(10)

    def test_where_half_of_the_riskiest_tenth_left_and_a_quarter_of_all(self):
        left = np.zeros(100, dtype=bool)
        left[[*range(95, 100), *range(20)]] = True
        assert lift(left, np.arange(100.0)) == pytest.approx(0.5 / 0.25)

    @given(st.permutations(range(40)))
    def test_the_order_of_those_with_the_same_score_does_not_matter(self, order):
        left, scores = np.arange(40) % 4 == 0, np.array([0.9] * 2 + [0.5] * 30 + [0.1] * 8)
        assert lift(left[order], scores[order]) == pytest.approx(lift(left, scores))

    def test_recall_is_the_share_of_leavers_found_there(self):
        labels = np.array([1, 0, 1, 0] + [0] * 16)
        assert recall(labels, np.linspace(1, 0, 20)) == 0.5
        assert recall(labels, np.linspace(0, 1, 20)) == 0.0

    def test_lift_is_how_much_more_often_customers_left_there(self):
        assert lift(FIVE_OF_TWENTY, np.linspace(1, 0, 20)) == pytest.approx(0.5 / 0.25)

    def test_of_customers_who_tie_for_the_last_place_a_part_counts(self):
        scores = np.array([0.9, 0.5, 0.5, 0.5, 0.5] + [0.1] * 15)  # one place for four, two of whom left
        assert recall(FIVE_OF_TWENTY, scores) == pytest.approx(1.5 / 5)

    @given(st.lists(st.booleans(), min_size=10, max_size=200).filter(any))
    def test_the_same_score_for_all_finds_as_many_as_a_blind_draw(self, labels):
        constant = np.full(len(labels), 0.2)
        assert lift(np.array(labels, dtype=int), constant) == pytest.approx(1)


def test_the_bins_of_the_calibration_go_from_low_to_high_and_hold_all_customers():
    left, scores = made_up(1003)
    bins = calibration(left, scores)
    assert {it.customers for it in bins} == {100, 101}
    assert len(bins) == 10
    assert [it.mean_score for it in bins] == sorted(it.mean_score for it in bins)
    assert sum(it.share_left * it.customers for it in bins) == pytest.approx(left.sum())


class TestTheCalibrationError:
    def test_the_error_is_the_mean_distance_of_score_and_share_over_bins(self):
        labels = np.array([0, 0, 0, 1] * 10)
        scores = np.repeat([0.05, 0.45], 20)  # a quarter left in both: too low by 0.20, too high by 0.20
        assert calibration_error(labels, scores) == pytest.approx(0.2)

    def test_bins_hold_equally_many_customers(self):
        labels = np.zeros(100, dtype=int)
        scores = np.concatenate([np.linspace(0, 0.001, 90), np.full(10, 0.9)])
        assert calibration_error(labels, scores) == pytest.approx(scores.mean())
        labels[95] = 1  # in the bin of the ten highest, whose mean distance thereby falls from 0.9 to 0.8
        assert calibration_error(labels, scores) == pytest.approx(scores.mean() - 0.1 / 10)

    def test_equal_scores_share_a_bin(self):
        labels = np.array([0] * 80 + [1] * 20)
        assert calibration_error(labels, np.full(100, 0.2)) == pytest.approx(0)


class TestExpectedRocAuc:
    """Before it is known who left."""

    @given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.floats(0.01, 0.99)), min_size=1, max_size=12))
    def test_it_is_what_all_pairs_say(self, customers):
        scores, probabilities = np.array(customers).T
        expected = pairs = 0.0
        for one, leaves in customers:
            for other, stays in customers:
                weight = leaves * (1 - stays)
                pairs += weight
                expected += weight * (1.0 if one > other else 0.5 if one == other else 0.0)
        assert expected_roc_auc(scores, probabilities, np.ones(len(scores))) == pytest.approx(expected / pairs)

    def test_a_weight_is_so_many_customers(self):
        scores, probabilities = np.array([0.1, 0.3, 0.3, 0.8]), np.array([0.2, 0.3, 0.3, 0.7])
        once = expected_roc_auc(scores, probabilities, np.ones(4))
        assert expected_roc_auc(scores[[0, 1, 3]], probabilities[[0, 1, 3]], np.array([1, 2, 1])) == pytest.approx(once)

    def test_certain_outcomes_give_the_auc_itself(self):
        left, scores = made_up(500)
        assert expected_roc_auc(scores, left.astype(float), np.ones(500)) == pytest.approx(roc_auc_score(left, scores))

    def test_without_a_pair_there_is_nothing_to_put_in_order(self):
        assert expected_roc_auc(np.array([0.4]), np.array([0.0]), np.array([3.0])) == 0.5


def test_a_slope_corrects_timid_scores():
    timid = np.array([0.3, 0.5, 0.7])
    logits = np.log(timid / (1 - timid))
    assert calibrated(timid, 2.0) == pytest.approx(1 / (1 + np.exp(-2 * logits)))
    assert calibrated(timid, 1.0) == pytest.approx(timid)
    assert np.isfinite(calibrated(np.array([0.0, 1.0]), 1.1)).all()
