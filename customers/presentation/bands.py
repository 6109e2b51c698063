"""Scores in four words, for staff who sort and filter: low, medium, high, critical."""

from bisect import bisect_right
from itertools import pairwise

from django.conf import settings
from django.db.models import Q
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.presentation.numbers import format_percent

BANDS = ("low", "medium", "high", "critical")
# From here on a score of the highest band is drawn in full colour: a page of critical customers still has a top.
WORST = 0.9


def band(score: float) -> str:
    """Return what a churn probability is called; one on a threshold of ``VIGILPAY_RISK_BANDS`` is in the band above it.

    The thresholds are absolute: a customer's band depends on no other customer's score.
    """
    return BANDS[bisect_right(settings.RISK_BANDS, score)]


def least_of_band(name: str) -> float:
    """The lowest score that is called so."""
    return [0.0, *settings.RISK_BANDS][BANDS.index(name)]


def is_in_band(name: str) -> Q:
    """A condition on customers: those whose score is called so."""
    low, high = list(pairwise([0.0, *settings.RISK_BANDS, 1.0]))[BANDS.index(name)]
    # A score on a threshold is in the band above it; nothing is above 1.
    is_below = Q(churn_risk_score__lte=high) if name == BANDS[-1] else Q(churn_risk_score__lt=high)
    return is_below & Q(churn_risk_score__gte=low)


def band_classes(score: float) -> str:
    """The classes of the style sheet that colour a score by its band."""
    name = band(score)
    return f"vp-{name} vp-worst" if name == BANDS[-1] and score >= WORST else f"vp-{name}"


def badge(score: float | None, missing: str = "Not scored yet") -> SafeString:
    """Percent and band in words, so that the colour shows nothing that is not written there."""
    if score is None:
        return format_html('<span class="vp-badge">{}</span>', missing)
    return format_html(
        '<span class="vp-badge {}">{} {}</span>', band_classes(score), format_percent(score), band(score)
    )
