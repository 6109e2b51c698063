"""Line and bar charts as SVG, with presentation attributes only: a strict Content-Security-Policy lets them be inline.

Everything is drawn in `currentColor`: inside a page a chart takes the colour of the text around it, light or dark.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from customers.ml_service.svg import element, text

_WIDTH = 340
_LINE_HEIGHT = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 24, 40
_ROW_HEIGHT, _BAR_HEIGHT, _LABELS_WIDTH, _VALUES_WIDTH = 22, 12, 130, 64
_MOST_TICKS = 6
_NO_SPAN = 1e-9

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """What is measured, from `low` to `high`, and how a number of it is written."""

    label: str
    low: float
    high: float
    show: Callable[[float], str]

    @property
    def span(self) -> float:
        """Its length; 1 where there is only one value to show."""
        length = self.high - self.low
        return length if length > _NO_SPAN else 1.0

    def share(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high one."""
        return (value - self.low) / self.span

    def ticks(self) -> list[float]:
        """At most six round numbers along the axis."""
        step = _round_step(self.span / (_MOST_TICKS - 1))
        first = math.ceil(self.low / step - 1e-9)
        candidates = [(first + index) * step for index in range(_MOST_TICKS)]
        return [tick for tick in candidates if self.low - step / 1e6 <= tick <= self.high + step / 1e6]


@dataclass(frozen=True)
class Bar:
    """A row of a bar chart; `spread` is drawn as a whisker on both sides of the value."""

    label: str
    value: float
    spread: float = 0.0


def line_chart(title: str, points: Sequence[Point], *, x: Axis, y: Axis, diagonal: bool = False) -> str:
    """Return an SVG of the points, joined from left to right; `diagonal` adds the dashed line of x = y."""
    line = element(
        "polyline", points=" ".join(_at(x, y, point) for point in points), fill="none", stroke_width=2, **_STROKE
    )
    dots = [element("circle", cx=_across(x, px), cy=_up(y, py), r=2.5) for px, py in points]
    ends = max(x.low, y.low), min(x.high, y.high)
    same_both_ways = " ".join(_at(x, y, (end, end)) for end in ends)
    same = element("polyline", points=same_both_ways, fill="none", stroke_dasharray="4 4", opacity=0.6, **_STROKE)
    values = "; ".join(f"{x.show(px)}: {y.show(py)}" for px, py in points)
    return _svg(
        title,
        f"{y.label} by {x.label}. {values}",
        _LINE_HEIGHT,
        [
            _label(title, x=_LEFT, y=14, font_weight="bold"),
            *(*_horizontal_lines(y), *_names_below(x), *([same] if diagonal else []), line, *dots),
        ],
    )


def bar_chart(title: str, bars: Sequence[Bar], *, axis: Axis) -> str:
    """Return an SVG of horizontal bars, each from the low end of the axis to its value; none for a value below."""
    rows = [mark for index, bar in enumerate(bars) for mark in _row(bar, _TOP + index * _ROW_HEIGHT, axis)]
    values = "; ".join(f"{bar.label}: {axis.show(bar.value)}" for bar in bars)
    return _svg(
        title,
        f"{axis.label}. {values}",
        _TOP + len(bars) * _ROW_HEIGHT + 4,
        [_label(title, x=0, y=14, font_weight="bold"), *rows],
    )


_STROKE = {"stroke": "currentColor"}
_label = partial(text, "text")


def _round_step(step: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, ... (or tenths of these, and so on) that is not below `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def _across(x: Axis, value: float) -> float:
    return _LEFT + x.share(value) * (_WIDTH - _LEFT - _RIGHT)


def _up(y: Axis, value: float) -> float:
    return _LINE_HEIGHT - _BOTTOM - y.share(value) * (_LINE_HEIGHT - _TOP - _BOTTOM)


def _at(x: Axis, y: Axis, point: Point) -> str:
    return f"{_across(x, point[0]):.1f},{_up(y, point[1]):.1f}"


def _horizontal_lines(y: Axis) -> Iterable[str]:
    for tick in y.ticks():
        height = _up(y, tick)
        yield element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=height, y2=height, opacity=0.2, **_STROKE)
        yield _label(y.show(tick), x=_LEFT - 6, y=height + 4, text_anchor="end")


def _names_below(x: Axis) -> Iterable[str]:
    for tick in x.ticks():
        yield _label(x.show(tick), x=_across(x, tick), y=_LINE_HEIGHT - _BOTTOM + 16, text_anchor="middle")
    yield _label(x.label, x=(_LEFT + _WIDTH - _RIGHT) / 2, y=_LINE_HEIGHT - 6, text_anchor="middle")


def _row(bar: Bar, top: float, axis: Axis) -> Iterable[str]:
    def across(value: float) -> float:
        room = _WIDTH - _LABELS_WIDTH - _VALUES_WIDTH
        return _LABELS_WIDTH + min(max(axis.share(value), 0.0), 1.0) * room

    middle = top + _BAR_HEIGHT / 2
    yield _label(bar.label, x=_LABELS_WIDTH - 6, y=middle + 4, text_anchor="end")
    width = across(bar.value) - _LABELS_WIDTH
    yield element("rect", x=_LABELS_WIDTH, y=top, width=width, height=_BAR_HEIGHT, opacity=0.55)
    if bar.spread:
        ends = across(bar.value - bar.spread), across(bar.value + bar.spread)
        yield element("line", x1=ends[0], x2=ends[1], y1=middle, y2=middle, stroke_width=2, **_STROKE)
    yield _label(axis.show(bar.value), x=_WIDTH - _RIGHT, y=middle + 4, text_anchor="end")


def _svg(title: str, description: str, height: float, marks: Iterable[str]) -> str:
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    look = 'role="img" font-family="sans-serif" font-size="11" fill="currentColor"'
    body = "\n".join([text("title", title), text("desc", description), *marks])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}>\n{body}\n</svg>\n'
