"""The scores of one customer over time, as steps: a score holds until the next one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.safestring import SafeString, mark_safe

from customers.ml_service.svg import element, text
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count, format_percent

_WIDTH, _HEIGHT = 640, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 110, 14, 28
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_SHORT_SECONDS = 600  # for a shorter picture minutes would be too coarse
_APART = 22  # lines of words that are nearer than this would touch, on a phone where they are larger


@dataclass(frozen=True)
class Level:
    """From which score on a band begins, and what it is called."""

    score: float
    name: str


@dataclass(frozen=True)
class ScoredThen:
    at: datetime
    score: float


def trend(scores: Sequence[ScoredThen], levels: Sequence[Level], until: datetime) -> SafeString:
    """The scores, oldest first, on a scale from 0 to 100 %; ``levels`` are drawn as thresholds. None: no picture."""
    if not scores:
        return SafeString("")
    first, last = scores[0], scores[-1]
    start, end = first.at, max(until, last.at)
    across = [_across(it.at, start, end) for it in scores]
    marks = [*_scale(), *_thresholds(levels), *_dates(start, end), _steps(scores, across), *_dots(scores, across)]
    description = (
        f"{format_count(len(scores), 'score', 'scores')}, from {format_percent(first.score)} on "
        f"{format_time(first.at)} to {format_percent(last.score)} on {format_time(last.at)}."
    )
    heading = [text("title", "Churn risk over time"), text("desc", description)]
    size = {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "width": _WIDTH, "height": _HEIGHT}
    look = {"role": "img", "class_": "vp-trend", "font_size": 12, "fill": "currentColor"}
    return mark_safe(element("svg", *heading, *marks, **size, **look))  # noqa: S308  # escaped where it was written


def _across(at: datetime, start: datetime, end: datetime) -> float:
    seconds = (end - start).total_seconds()
    share = (at - start).total_seconds() / seconds if seconds > 0 else 1.0
    return _LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)


def _up(score: float) -> float:
    return _HEIGHT - _BOTTOM - score * (_HEIGHT - _TOP - _BOTTOM)


def _scale() -> Iterable[str]:
    for tick in _TICKS:
        yield _across_the_picture(_up(tick), stroke_opacity=0.15)
        yield text("text", format_percent(tick, 0), x=_LEFT - 6, y=_up(tick) + 4, text_anchor="end")


def _thresholds(levels: Sequence[Level]) -> Iterable[str]:
    """Names that would lie upon each other are left to the first of them."""
    free_below = _HEIGHT
    for level in sorted(levels, key=lambda it: it.score):
        yield _across_the_picture(_up(level.score), stroke_opacity=0.5, stroke_dasharray="3 4")
        if _up(level.score) <= free_below - _APART:
            free_below = int(_up(level.score))
            yield text("text", f"↑ {level.name}", x=_WIDTH - _RIGHT + 6, y=_up(level.score) + 4)


def _dates(start: datetime, end: datetime) -> Iterable[str]:
    is_short = (end - start).total_seconds() < _SHORT_SECONDS
    yield text("text", format_time(start, seconds=is_short), x=_LEFT, y=_HEIGHT - 8)
    yield text("text", format_time(end, seconds=is_short), x=_WIDTH - _RIGHT, y=_HEIGHT - 8, text_anchor="end")


def _steps(scores: Sequence[ScoredThen], across: Sequence[float]) -> str:
    corners = [f"M{across[0]:.1f} {_up(scores[0].score):.1f}"]
    corners += [f"H{x:.1f}V{_up(it.score):.1f}" for x, it in zip(across[1:], scores[1:], strict=True)]
    line = {"fill": "none", "stroke": "currentColor", "stroke_width": 2, "class_": "vp-line"}
    return element("path", d="".join([*corners, f"H{_WIDTH - _RIGHT:.1f}"]), **line)


def _dots(scores: Sequence[ScoredThen], across: Sequence[float]) -> Iterable[str]:
    for x, it in zip(across, scores, strict=True):
        title = text("title", f"{format_percent(it.score)} on {format_time(it.at)}")
        yield element("circle", title, cx=x, cy=_up(it.score), r=3.5, class_="vp-dot")


def _across_the_picture(height: float, **look: object) -> str:
    return element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=height, y2=height, stroke="currentColor", **look)
