import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.ml_service.training.quality import (
    FIGURES,
    calibration_error,
    calibration_slope,
    lift_at_tenth,
    recall_at_tenth,
)

FIVE_OF_TWENTY = np.array([1, 0, 1, 1, 0, 1, 1] + [0] * 13)


def drawn(n: int = 20_000, seed: int = 5):
    """Probabilities, and labels that were drawn by them."""
    rng = np.random.default_rng(seed)
    probabilities = rng.beta(1, 4, n)
    return (rng.random(n) < probabilities).astype(int), probabilities


class TestTheRiskiestTenth:
    def test_recall_is_the_share_of_leavers_found_there(self):
        labels = np.array([1, 0, 1, 0] + [0] * 16)
        assert recall_at_tenth(labels, np.linspace(1, 0, 20)) == 0.5
        assert recall_at_tenth(labels, np.linspace(0, 1, 20)) == 0.0

    def test_lift_is_how_much_more_often_customers_left_there(self):
        assert lift_at_tenth(FIVE_OF_TWENTY, np.linspace(1, 0, 20)) == pytest.approx(0.5 / 0.25)

    def test_of_customers_who_tie_for_the_last_place_a_part_counts(self):
        scores = np.array([0.9, 0.5, 0.5, 0.5, 0.5] + [0.1] * 15)  # one place for four, two of whom left
        assert recall_at_tenth(FIVE_OF_TWENTY, scores) == pytest.approx(1.5 / 5)

    @given(st.lists(st.booleans(), min_size=10, max_size=200).filter(any))
    def test_the_same_score_for_everybody_finds_as_many_as_a_blind_draw(self, labels):
        constant = np.full(len(labels), 0.2)
        assert lift_at_tenth(np.array(labels, dtype=int), constant) == pytest.approx(1)


class TestCalibration:
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

    def test_probabilities_that_hold_have_next_to_no_error_and_slope_one(self):
        labels, probabilities = drawn()
        assert calibration_error(labels, probabilities) < 0.01
        assert calibration_slope(labels, probabilities) == pytest.approx(1, abs=0.05)

    def test_timid_scores_have_a_slope_above_one_and_extreme_ones_below(self):
        labels, probabilities = drawn()
        logits = np.log(probabilities / (1 - probabilities))
        assert calibration_slope(labels, 1 / (1 + np.exp(-logits / 2))) == pytest.approx(2, abs=0.1)
        assert calibration_slope(labels, 1 / (1 + np.exp(-logits * 2))) == pytest.approx(0.5, abs=0.05)

    def test_scores_of_nought_and_one_have_a_slope_too(self):
        assert 0 < calibration_slope(FIVE_OF_TWENTY, np.array([1.0, 0.0] * 10)) < 1


def test_every_figure_prefers_good_scores_in_the_direction_that_it_names():
    labels, good = drawn(2_000)
    bad = np.random.default_rng(1).random(2_000)
    for figure in FIGURES.values():
        better, worse = figure.measure(labels, good), figure.measure(labels, bad)
        assert (better > worse) == figure.higher_is_better
