"""Scores in four words, for people who sort and filter: low, medium, high, critical."""

from bisect import bisect_right

from django.conf import settings

BANDS = ("low", "medium", "high", "critical")


def band(score: float) -> str:
    """Return what a churn probability is called; one on a threshold of ``VIGILPAY_RISK_BANDS`` is in the band above it.

    The thresholds are absolute: a customer's band depends on nobody else's score.
    """
    return BANDS[bisect_right(settings.RISK_BANDS, score)]
