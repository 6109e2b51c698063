import numpy as np
import pytest

from customers.ml_service.performance import calibration_error
from customers.ml_service.training.quality import FIGURES, calibration_slope

FIVE_OF_TWENTY = np.array([1, 0, 1, 1, 0, 1, 1] + [0] * 13)


def drawn(n: int = 20_000, seed: int = 5):
    """Probabilities, and labels that were drawn by them."""
    rng = np.random.default_rng(seed)
    probabilities = rng.beta(1, 4, n)
    return (rng.random(n) < probabilities).astype(int), probabilities


class TestCalibration:
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
