"""How many customers there are in each step of risk, as columns in the colours of the bands."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.presentation.numbers import format_percent

WIDTH, HEIGHT = 480, 220
TOP, BOTTOM, SIDE = 28, 40, 14
GAP = 3
FLOOR = HEIGHT - BOTTOM


def histogram(counts: Sequence[int], thresholds: Sequence[float], bands: Sequence[str]) -> SafeString:
    """Columns from 0 % to 100 % risk under the names of the bands; the number of each in its title, and all of them in
    the description.

    Drawn with presentation attributes and the classes of the style sheet only.
    """
    description = "; ".join(f"{name}: {number:,}" for name, number in zip(names(len(counts)), counts, strict=True))
    return format_html(
        '<svg class="vp-histogram" viewBox="0 0 {} {}" role="img" font-family="sans-serif" font-size="13" '
        'fill="currentColor"><title>Customers by churn risk</title><desc>{}</desc>{}{}{}</svg>',
        WIDTH,
        HEIGHT,
        description,
        format_html_join("", "{}", ((part,) for part in band_marks(thresholds, bands))),
        format_html_join("", "{}", ((part,) for part in columns(counts, thresholds, bands))),
        format_html_join("", "{}", ((part,) for part in axis())),
    )


def columns(counts: Sequence[int], thresholds: Sequence[float], bands: Sequence[str]) -> Iterator[SafeString]:
    """A single customer can be seen: a column is at least a line high. One that two bands share has the colour of the
    band that its middle is in."""
    tallest = max([*counts, 1])
    width = (WIDTH - 2 * SIDE) / len(counts)
    for index, (name, number) in enumerate(zip(names(len(counts)), counts, strict=True)):
        height = max(1.5, number / tallest * (FLOOR - TOP)) if number else 0
        yield format_html(
            '<g><title>{}: {}</title><rect class="vp-fill-{}" x="{}" y="{}" width="{}" height="{}"/></g>',
            name,
            f"{number:,}",
            bands[bisect_right(thresholds, (index + 0.5) / len(counts))],
            f"{SIDE + index * width + GAP / 2:.1f}",
            f"{FLOOR - height:.1f}",
            f"{width - GAP:.1f}",
            f"{height:.1f}",
        )


def band_marks(thresholds: Sequence[float], bands: Sequence[str]) -> Iterator[SafeString]:
    """Where a band ends, and what it is called."""
    edges = [0.0, *thresholds, 1.0]
    for name, low, high in zip(bands, edges, edges[1:], strict=False):
        yield format_html(
            '<text x="{}" y="16" text-anchor="middle" font-weight="bold">{}</text>', across((low + high) / 2), name
        )
    for edge in thresholds:
        yield format_html(
            '<line x1="{0}" x2="{0}" y1="4" y2="{1}" stroke="currentColor" stroke-dasharray="4 4" opacity="0.5"/>',
            across(edge),
            FLOOR,
        )


def axis() -> Iterator[SafeString]:
    yield format_html('<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="currentColor"/>', SIDE, WIDTH - SIDE, FLOOR, FLOOR)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = {0.0: "start", 1.0: "end"}.get(share, "middle")
        yield format_html(
            '<text x="{}" y="{}" text-anchor="{}">{}</text>', across(share), FLOOR + 17, anchor, whole_percent(share)
        )
    yield format_html('<text x="{}" y="{}" text-anchor="middle">churn risk</text>', WIDTH // 2, HEIGHT - 5)


def names(steps: int) -> list[str]:
    return [f"{whole_percent(step / steps)} to {whole_percent((step + 1) / steps)}" for step in range(steps)]


def whole_percent(share: float) -> str:
    return format_percent(share, 0)


def across(share: float) -> str:
    return f"{SIDE + share * (WIDTH - 2 * SIDE):.1f}"
