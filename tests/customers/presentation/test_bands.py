"""Scores in four words."""

import pytest

from customers.presentation.bands import BANDS, badge, band, band_classes, least_of_band


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
    assert badge(0.713) == '<span class="vp-badge vp-high">71.3\xa0% high</span>'


def test_the_band_of_a_badge_is_that_of_the_settings(settings):
    settings.RISK_BANDS = [0.1, 0.2, 0.3]
    assert "71.3\xa0% critical" in badge(0.713)


def test_without_a_score_a_badge_says_so():
    assert badge(None) == '<span class="vp-badge">Not scored yet</span>'
    assert badge(None, missing="Not scored") == '<span class="vp-badge">Not scored</span>'


def test_only_the_highest_scores_of_the_highest_band_are_drawn_in_full_colour(settings):
    assert [band_classes(score) for score in (0.74, 0.89, 0.9, 1.0)] == [
        "vp-high",
        "vp-critical",
        "vp-critical vp-worst",
        "vp-critical vp-worst",
    ]
    settings.RISK_BANDS = [0.5, 0.8, 0.95]
    assert [band_classes(score) for score in (0.94, 0.95)] == ["vp-high", "vp-critical vp-worst"]


def test_a_band_begins_at_its_threshold():
    assert [least_of_band(name) for name in BANDS] == [0.0, 0.25, 0.5, 0.75]
