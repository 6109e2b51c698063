"""Signed factors of a score: a table that reads without its pictures, a bar left or right of zero in each row."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from customers.ml_service.svg import element

_HALF, _HEIGHT = 110, 14
_THINNEST = 1.0  # so that a part which is there is seen


@dataclass(frozen=True)
class SignedBar:
    """One part of a score: its name, the customer's value of it as words, and signed percentage points."""

    name: str
    value: str
    points: float


def signed_bars(caption: str, bars: Sequence[SignedBar]) -> SafeString:
    """The bars as a table, in the order given; the longest fills its half."""
    reach = max((abs(bar.points) for bar in bars), default=0.0)
    return format_html(
        '<table class="vp-bars"><caption>{}</caption>'
        '<thead><tr><th scope="col">Factor</th><th scope="col">Value</th>'
        '<th scope="col">Lowers | raises</th><th scope="col">Points</th></tr></thead>'
        "<tbody>{}</tbody></table>",
        caption,
        format_html_join(
            "",
            '<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td class="{}">{}</td></tr>',
            ((bar.name, bar.value, _picture(bar.points, reach), way(bar.points), f"{bar.points:+.1f}") for bar in bars),
        ),
    )


def _picture(points: float, reach: float) -> SafeString:
    """It shows nothing that does not stand beside it in words."""
    width = max(_THINNEST, _HALF * abs(points) / reach) if points and reach else 0.0
    left = _HALF if points > 0 else _HALF - width
    bar = element("rect", x=left, y=1, width=width, height=_HEIGHT - 2, rx=2, class_=way(points), fill="currentColor")
    zero = element("line", x1=_HALF, x2=_HALF, y1=0, y2=_HEIGHT, stroke="currentColor", stroke_opacity=0.6)
    size = {"viewBox": f"0 0 {2 * _HALF} {_HEIGHT}", "width": 2 * _HALF, "height": _HEIGHT}
    return mark_safe(element("svg", bar, zero, **size, aria_hidden="true", focusable="false"))  # noqa: S308  # numbers


def way(points: float) -> str:
    """The class of a move up, down, or of none."""
    return "vp-raises" if points > 0 else "vp-lowers" if points < 0 else "vp-none"
