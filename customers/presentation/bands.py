"""Scores in four words, for people who sort and filter: low, medium, high, critical."""

from bisect import bisect_right
from itertools import pairwise

from django.conf import settings
from django.db.models import Q
from django.utils.html import format_html
from django.utils.safestring import SafeString

BANDS = ("low", "medium", "high", "critical")


def band(score: float) -> str:
    """Return what a churn probability is called; one on a threshold of ``VIGILPAY_RISK_BANDS`` is in the band above it.

    The thresholds are absolute: a customer's band depends on no other customer's score.
    """
    return BANDS[bisect_right(settings.RISK_BANDS, score)]


def is_in_band(name: str) -> Q:
    """A condition on customers: those whose score is called so."""
    low, high = list(pairwise([0.0, *settings.RISK_BANDS, 1.0]))[BANDS.index(name)]
    # A score on a threshold is in the band above it; nothing is above 1.
    is_below = Q(churn_risk_score__lte=high) if name == BANDS[-1] else Q(churn_risk_score__lt=high)
    return is_below & Q(churn_risk_score__gte=low)


def badge(score: float | None) -> SafeString:
    """Percent and band in words, so that the colour shows nothing that is not written there."""
    if score is None:
        return format_html('<span class="vp-badge">{}</span>', "not scored yet")
    name = band(score)
    return format_html('<span class="vp-badge vp-{}">{} {}</span>', name, f"{score:.1%}", name)
