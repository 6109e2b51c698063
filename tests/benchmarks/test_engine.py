"""The benchmark says what it measured, and its verdict follows from that. How fast anything is, it does not test."""

import math
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.benchmarks.engine.report import Figure, all_held, verdict
from vigilpay.processes import ROOT

MEASURED = {
    "editors": ["SQL editors, all triggers", "Django editors, get and save"],
    "bulk": ["bulk update of 2,000 rows, fillfactor 70"],
    "latency": ["Django edit -> current, idle", "SQL edits/s -> current", "ours / a poll", "ours / task per row"],
    "drain": ["scores known", "2 workers / 1", "a task per row"],
    "sizes": ["cost of a row at 2,000 customers"],
}


def quick(name):
    command = [sys.executable, "-m", "tests.benchmarks.engine", "--quick", "--only", name]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)


def figure(ratio, **goal):
    return Figure("speed", "1/s", "2/s", ratio, **goal)


@pytest.mark.parametrize(
    "names", [["editors", "bulk", "drain"], pytest.param(["latency", "sizes"], marks=pytest.mark.slow)]
)
def test_every_measurement_gives_figures_and_a_verdict_that_is_the_exit_status(names):
    with ThreadPoolExecutor(len(names)) as pool:
        runs = list(pool.map(quick, names))
    for name, run in zip(names, runs, strict=True):
        last = run.stdout.splitlines()[-1:] or [run.stderr]
        held, of = map(int, re.match(r"VERDICT: (\d+) of (\d+) goals held", last[0]).groups())
        assert of > 0
        assert run.returncode == (0 if held == of else 1)
        assert [what for what in MEASURED[name] if what not in run.stdout] == []


@pytest.mark.parametrize(
    ("goal", "held"),
    [
        (figure(0.8, at_least=0.8), True),
        (figure(0.79, at_least=0.8), False),
        (figure(2.0, at_most=2.0), True),
        (figure(2.1, at_most=2.0), False),
        (figure(math.nan, at_least=0.8), False),
        (figure(math.nan, at_most=0.8), False),
    ],
)
def test_a_goal_is_held_from_the_limit_on_and_never_by_nothing(goal, held):
    assert goal.is_held is held
    assert str(goal).endswith("held" if held else "MISSED")


def test_the_verdict_names_what_was_missed():
    figures = [figure(1.0, at_least=0.8), Figure("drain", "", "", 0.1, at_least=0.6), Figure("told only", "", "", 0.1)]
    assert verdict(figures) == "VERDICT: 1 of 2 goals held; missed: drain"
    assert not all_held(figures)
    assert all_held(figures[:1])


def test_figures_without_any_goal_are_no_success():
    assert not all_held([figure(1.0)])
