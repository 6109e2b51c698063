"""The benchmark says what it measured, and its verdict follows from that. How fast anything is, it does not test."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.benchmarks.quick_runs import assert_measured, quick

MEASURED = {
    "editors": ["SQL editors, all triggers", "Django editors, get and save"],
    "bulk": ["bulk update of 2,000 rows, fillfactor 70"],
    "latency": ["Django edit -> current, idle", "SQL edits/s -> current", "ours / a poll", "ours / task per row"],
    "drain": ["slower of same statements and explainer", "scores and reasons known", "2 workers / 1", "a task per row"],
    "sizes": ["cost of a row at 2,000 customers"],
    "shadow": ["SQL editors, a model in shadow", "-> current p50, a model in shadow"],
    "promotion": ["promotion of 2,000 shadow scores"],
}


@pytest.mark.parametrize(
    "names",
    [["editors", "bulk", "drain"], pytest.param(["latency", "sizes", "shadow", "promotion"], marks=pytest.mark.slow)],
)
def test_every_measurement_gives_figures_and_a_verdict_that_is_the_exit_status(names):
    with ThreadPoolExecutor(len(names)) as pool:
        runs = list(pool.map(partial(quick, "tests.benchmarks.engine"), names))
    for name, run in zip(names, runs, strict=True):
        assert_measured(run, MEASURED[name])
