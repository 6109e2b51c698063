"""A score and its band as one word group, which a colour only underlines."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.bands import band


def badge(score: float | None) -> SafeString:
    """``72.3% high``, or that there is no score yet."""
    if score is None:
        return format_html('<span class="vp-badge">{}</span>', "not scored yet")
    name = band(score)
    return format_html('<span class="vp-badge vp-{}">{} {}</span>', name, f"{score:.1%}", name)
