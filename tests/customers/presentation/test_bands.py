"""Scores in four words."""

import pytest

from customers.presentation.bands import BANDS, badge, band


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (0.0, "low"),
        (0.2499, "low"),
        (0.25, "medium"),
        (0.4999, "medium"),
        (0.5, "high"),
        (0.75, "critical"),
        (1.0, "critical"),
    ],
)
def test_a_score_on_a_threshold_is_in_the_band_above(score, word):
    assert band(score) == word


def test_the_thresholds_are_those_of_the_settings(settings):
    settings.RISK_BANDS = [0.1, 0.2, 0.3]
    assert [band(score) for score in (0.05, 0.15, 0.25, 0.35)] == list(BANDS)


def test_a_badge_says_percent_and_band_in_words():
    assert badge(0.713) == '<span class="vp-badge vp-high">71.3% high</span>'


def test_the_band_of_a_badge_is_that_of_the_settings(settings):
    settings.RISK_BANDS = [0.1, 0.2, 0.3]
    assert "71.3% critical" in badge(0.713)


def test_without_a_score_a_badge_says_so():
    assert badge(None) == '<span class="vp-badge">not scored yet</span>'
