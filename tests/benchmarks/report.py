"""Figures as ratios, each beside its goal; the verdict."""

import os
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

LINE = "{:<58}{:>16}{:>16}{:>9}  {:<9} {}"
HEADING = LINE.format("what", "ours", "beside", "ratio", "goal", "")


@dataclass(frozen=True)
class Figure:
    """One ratio. Without a goal it is told and not judged."""

    what: str
    ours: str
    beside: str
    ratio: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_judged(self) -> bool:
        return self.at_least is not None or self.at_most is not None

    @property
    def is_held(self) -> bool:
        # Written so that NaN, from a measurement that gave nothing, holds no goal.
        return (self.at_least is None or self.ratio >= self.at_least) and (
            self.at_most is None or self.ratio <= self.at_most
        )

    @property
    def goal(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""

    def __str__(self) -> str:
        judgement = ("held" if self.is_held else "MISSED") if self.is_judged else ""
        return LINE.format(self.what, self.ours, self.beside, f"{self.ratio:.2f}", self.goal, judgement).rstrip()


def of_rounds(
    what: str,
    ours: Sequence[float],
    beside: Sequence[float],
    written: Callable[[float], str],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Figure:
    """The median of the ratios of rounds that followed each other, which stands more noise than that of medians."""
    ratio = statistics.median(one / other for one, other in zip(ours, beside, strict=True))
    return Figure(what, *(written(statistics.median(side)) for side in (ours, beside)), ratio, at_least, at_most)


def printed(name: str, figures: Iterable[Figure]) -> Iterator[Figure]:
    """The figures of a measurement as they come out, each printed at once."""
    began = perf_counter()
    for figure in figures:
        say(str(figure))
        yield figure
    say(f"  ({name}: {perf_counter() - began:.0f} s, load now {os.getloadavg()[0]:.1f})")


def concluded(figures: Sequence[Figure]) -> int:
    """Print the verdict and return the exit status that follows from it."""
    say(verdict(figures))
    return 0 if all_held(figures) else 1


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def verdict(figures: Iterable[Figure]) -> str:
    """The last line of a run."""
    judged = [figure for figure in figures if figure.is_judged]
    missed = [figure.what for figure in judged if not figure.is_held]
    said = f"VERDICT: {len(judged) - len(missed)} of {len(judged)} goals held"
    return f"{said}; missed: {', '.join(missed)}" if missed else said


def all_held(figures: Sequence[Figure]) -> bool:
    """Whether there were goals and every one was reached."""
    return any(figure.is_judged for figure in figures) and all(figure.is_held for figure in figures if figure.is_judged)


def per_second(rate: float) -> str:
    return f"{rate:,.0f}/s"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"


def microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} µs"
