"""How many customers there are in each step of risk, as columns side by side."""

from collections.abc import Iterator, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 720, 230
TOP, BOTTOM, SIDE = 34, 36, 8
GAP = 3
FLOOR = HEIGHT - BOTTOM


def histogram(counts: Sequence[int], thresholds: Sequence[float], bands: Sequence[str]) -> SafeString:
    """Columns from 0 % to 100 % risk, each with its number on top, under the names of the bands.

    Drawn in the colour of the text around it, with presentation attributes only.
    """
    description = "; ".join(f"{name}: {number:,}" for name, number in zip(names(len(counts)), counts, strict=True))
    return format_html(
        '<div class="vp-wide" tabindex="0" role="group" aria-label="Customers by churn risk">'
        '<svg class="vp-histogram" viewBox="0 0 {} {}" role="img" font-family="sans-serif" font-size="11" '
        'fill="currentColor"><title>Customers by churn risk</title><desc>{}</desc>{}{}{}</svg></div>',
        WIDTH,
        HEIGHT,
        description,
        format_html_join("", "{}", ((part,) for part in band_marks(thresholds, bands))),
        format_html_join("", "{}", ((part,) for part in columns(counts))),
        format_html_join("", "{}", ((part,) for part in axis())),
    )


def columns(counts: Sequence[int]) -> Iterator[SafeString]:
    """A single customer can be seen: a column is at least a line high."""
    tallest = max([*counts, 1])
    width = (WIDTH - 2 * SIDE) / len(counts)
    for index, (name, number) in enumerate(zip(names(len(counts)), counts, strict=True)):
        height = max(1.5, number / tallest * (FLOOR - TOP - 14)) if number else 0
        left = SIDE + index * width
        yield format_html(
            '<g><title>{}: {}</title><rect x="{}" y="{}" width="{}" height="{}" opacity="0.6"/>'
            '<text x="{}" y="{}" text-anchor="middle" font-size="10">{}</text></g>',
            name,
            f"{number:,}",
            f"{left + GAP / 2:.1f}",
            f"{FLOOR - height:.1f}",
            f"{width - GAP:.1f}",
            f"{height:.1f}",
            f"{left + width / 2:.1f}",
            f"{FLOOR - height - 4:.1f}",
            short(number),
        )


def band_marks(thresholds: Sequence[float], bands: Sequence[str]) -> Iterator[SafeString]:
    """Where a band ends, and what it is called."""
    edges = [0.0, *thresholds, 1.0]
    for name, low, high in zip(bands, edges, edges[1:], strict=False):
        yield format_html(
            '<text x="{}" y="14" text-anchor="middle" font-weight="bold">{}</text>', across((low + high) / 2), name
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
            '<text x="{}" y="{}" text-anchor="{}">{}</text>', across(share), FLOOR + 16, anchor, f"{share:.0%}"
        )
    yield format_html('<text x="{}" y="{}" text-anchor="middle">churn risk</text>', WIDTH // 2, HEIGHT - 4)


def names(steps: int) -> list[str]:
    return [f"{step / steps:.0%} to {(step + 1) / steps:.0%}" for step in range(steps)]


def across(share: float) -> str:
    return f"{SIDE + share * (WIDTH - 2 * SIDE):.1f}"


def short(number: int) -> str:
    """As it fits over a column: 950, 9.5k, 95k, 1.2M."""
    if number < 1000:
        return str(number)
    if number < 999_500:
        return f"{number / 1000:.1f}k" if number < 9950 else f"{number / 1000:.0f}k"
    return f"{number / 1_000_000:.1f}M"
