"""Two ways of the same work in turn, and how many times as fast the first is."""

import statistics
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

from tests.benchmarks.report import Figure, per_second

Seconds = Callable[[], float]


def speedup(
    what: str, rounds: int, ours: Seconds, beside: Seconds, written: Callable[[float], str], at_least: float
) -> Figure:
    """The median of the ratios of rounds that followed each other; both go once before any clock starts."""
    ours(), beside()
    times = [(ours(), beside()) for _ in range(rounds)]
    shown = (written(statistics.median(side)) for side in zip(*times, strict=True))
    return Figure(what, *shown, statistics.median(other / own for own, other in times), at_least=at_least)


def within(what: str, largest: float, tolerance: float) -> Figure:
    """A difference in units of what it may be."""
    return Figure(what, f"{largest:.1e}", f"{tolerance:.1e}", largest / tolerance, at_most=1)


def p50(call: Callable[[Any], object], arguments: Iterable[Any]) -> float:
    """The median of the seconds that single calls take."""
    return statistics.median(seconds(call, argument) for argument in arguments)


def seconds(call: Callable[..., object], *arguments: Any) -> float:
    began = perf_counter()
    call(*arguments)
    return perf_counter() - began


def rows_per_second(seconds_per_row: float) -> str:
    return per_second(1 / seconds_per_row)
