"""A score reads without its colour."""

from customers.presentation.badge import badge


def test_a_badge_says_percent_and_band_in_words():
    assert badge(0.713) == '<span class="vp-badge vp-high">71.3% high</span>'


def test_the_band_is_that_of_the_settings(settings):
    settings.RISK_BANDS = [0.1, 0.2, 0.3]
    assert "71.3% critical" in badge(0.713)


def test_without_a_score_it_says_so():
    assert badge(None) == '<span class="vp-badge">not scored yet</span>'
