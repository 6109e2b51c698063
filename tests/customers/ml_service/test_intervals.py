"""Shares with their score intervals."""

import pytest

from customers.ml_service.intervals import rate_of


@pytest.mark.parametrize(
    ("count", "number", "low", "high"),
    # Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_are_the_published_ones(count, number, low, high):
    rate = rate_of(count, number)
    assert rate.share == count / number
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=5e-5)


def test_an_interval_stays_within_zero_and_one():
    assert 0 <= rate_of(0, 50).low < 1e-12
    assert 1 - 1e-12 < rate_of(50, 50).high <= 1
