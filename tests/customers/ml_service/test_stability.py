"""The population stability index."""

from math import inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from customers.ml_service.stability import FLOOR, index_by_chance, stability_index


def test_as_calculated_by_hand():
    # 0.1 * ln(1.2) - 0.1 * ln(0.8)
    assert stability_index([0.5, 0.5], [0.6, 0.4]) == pytest.approx(0.04054651)


def test_nothing_has_moved_where_nothing_has():
    assert stability_index([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]) == 0.0


def test_an_empty_bin_counts_as_the_floor():
    assert stability_index([1.0, 0.0], [0.9, 0.1]) == pytest.approx(
        -0.1 * log(0.9) + (0.1 - FLOOR) * log(0.1 / FLOOR), rel=1e-12
    )
    assert stability_index([0.5, 0.5, 0.0], [0.5, 0.5, 0.0]) == 0.0


SHARES = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=12)


@given(SHARES)
def test_it_is_never_negative_and_the_same_both_ways(pairs):
    counts = np.array([*pairs, (1, 1)], dtype=float)
    was, now = (counts / counts.sum(axis=0)).T
    assert stability_index(was, now) >= 0
    assert stability_index(was, now) == pytest.approx(stability_index(now, was))


class TestByChance:
    @pytest.mark.parametrize("bins", range(2, 13))
    def test_it_is_the_quantile_of_yurdakul(self, bins):
        assert index_by_chance(bins, 8000, 500) == pytest.approx(
            chi2.ppf(0.95, bins - 1) * (1 / 8000 + 1 / 500), rel=0.03
        )

    def test_nineteen_of_twenty_portfolios_of_the_same_people_stay_below(self):
        rng = np.random.default_rng(11)
        was = rng.multinomial(2000, [0.1] * 10, size=4000) / 2000
        now = rng.multinomial(400, [0.1] * 10, size=4000) / 400
        indices = [stability_index(*pair) for pair in zip(was, now, strict=True)]
        assert np.mean(np.array(indices) < index_by_chance(10, 2000, 400)) == pytest.approx(0.95, abs=0.02)

    def test_of_no_customers_nothing_can_be_said(self):
        assert index_by_chance(10, 8000, 0) == inf

    def test_one_bin_never_moves(self):
        assert index_by_chance(1, 8000, 5) == 0.0
