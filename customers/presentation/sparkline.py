"""The last scores of a customer as a line that fits into a row of a table."""

from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.presentation.numbers import format_percent

_WIDTH, _HEIGHT = 48, 16
_MARGIN = 3  # for the dot at the end


def sparkline(scores: Sequence[float]) -> SafeString:
    """The scores as an SVG, oldest first; nothing for fewer than two, which have no trend.

    From 0 to 100 % in every row, so that rows can be compared: a small move looks small.
    """
    if len(scores) < 2:
        return SafeString()
    width = _WIDTH - 2 * _MARGIN
    points = [
        (f"{_MARGIN + index * width / (len(scores) - 1):.1f}", f"{_MARGIN + (1 - score) * (_HEIGHT - 2 * _MARGIN):.1f}")
        for index, score in enumerate(scores)
    ]
    return format_html(
        '<svg class="vp-spark" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">'
        '<title>{2}</title><polyline points="{3}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        '<circle cx="{4}" cy="{5}" r="2" fill="currentColor"/></svg>',
        _WIDTH,
        _HEIGHT,
        f"Last {len(scores)} scores: {', '.join(map(format_percent, scores))}",
        " ".join(f"{x},{y}" for x, y in points),
        *points[-1],
    )
