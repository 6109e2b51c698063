"""A number from day to day, as a line: from 0 up to its maximum, with gaps where a day is missing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.presentation.durations import format_day

_WIDTH, _HEIGHT = 320, 120
_LEFT, _RIGHT, _TOP, _BOTTOM = 4, 4, 26, 22
_FLOOR = _HEIGHT - _BOTTOM
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class OnDay:
    day: date
    number: int


def line(name: str, unit: str, found: Sequence[OnDay], begins: date, ends: date) -> SafeString:
    """A line of these numbers, the oldest first, over the days from one to the other; none without a number.

    ``name`` is what the line is about, ``unit`` what is counted. A day alone between two gaps is a dot.
    """
    if not found:
        return SafeString()
    most = max(it.number for it in found)
    first, last = found[0], found[-1]
    title = f"{name}: {last.number:,} {unit} on {format_day(last.day)}"
    description = f"{first.number:,} on {format_day(first.day)}; at most {most:,}. The scale begins at 0."
    places = [(_across(it.day, begins, ends), _up(it.number, most)) for it in found]
    return format_html(
        '<svg class="vp-days" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" font-size="12" '
        'fill="currentColor"><title>{2}</title><desc>{3}</desc>{4}{5}{6}</svg>',
        _WIDTH,
        _HEIGHT,
        title,
        description,
        format_html_join("", "{}", ((part,) for part in _frame(f"{name}: {last.number:,}", most, begins, ends))),
        format_html(
            '<path d="{}" fill="none" stroke="currentColor" stroke-width="2" class="vp-line"/>', _path(found, places)
        ),
        format_html_join("", '<circle cx="{}" cy="{}" r="2.5" class="vp-dot"/>', _dots(found, places)),
    )


def _across(day: date, begins: date, ends: date) -> float:
    share = (day - begins) / (ends - begins) if ends > begins else 1.0
    return _LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)


def _up(number: int, most: int) -> float:
    return _FLOOR - (number / most if most else 0.0) * (_FLOOR - _TOP)


def _frame(heading: str, most: int, begins: date, ends: date) -> Iterator[SafeString]:
    yield format_html('<text x="{}" y="14" font-weight="bold">{}</text>', _LEFT, heading)
    yield format_html('<text x="{}" y="14" text-anchor="end">{}</text>', _WIDTH - _RIGHT, f"maximum {most:,}")
    yield format_html(
        '<line x1="{0}" x2="{1}" y1="{2}" y2="{2}" stroke="currentColor" stroke-opacity="0.5"/>',
        _LEFT,
        _WIDTH - _RIGHT,
        _FLOOR,
    )
    yield format_html('<text x="{}" y="{}">{}</text>', _LEFT, _HEIGHT - 6, format_day(begins))
    yield format_html('<text x="{}" y="{}" text-anchor="end">{}</text>', _WIDTH - _RIGHT, _HEIGHT - 6, format_day(ends))


def _path(found: Sequence[OnDay], places: Sequence[tuple[float, float]]) -> str:
    """Lines between neighbouring days only: of a day that is missing nothing is said."""
    x, y = places[0]
    parts = [f"M{x:.1f} {y:.1f}"]
    for (before, it), (x, y) in zip(pairwise(found), places[1:], strict=True):
        parts.append(f"{'L' if it.day - before.day == _DAY else 'M'}{x:.1f} {y:.1f}")
    return "".join(parts)


def _dots(found: Sequence[OnDay], places: Sequence[tuple[float, float]]) -> Iterator[tuple[str, str]]:
    days = {it.day for it in found}
    for it, (x, y) in zip(found, places, strict=True):
        if it is found[-1] or not days & {it.day - _DAY, it.day + _DAY}:
            yield f"{x:.1f}", f"{y:.1f}"
