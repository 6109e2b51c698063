"""A score as a badge: percent and band in words, so that its colour tells nothing that is not written there."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.presentation.bands import band


def badge(score: float | None) -> SafeString:
    if score is None:
        return format_html('<span class="vp-badge">{}</span>', "not scored yet")
    name = band(score)
    return format_html('<span class="vp-badge vp-{}">{} {}</span>', name, f"{score:.1%}", name)
