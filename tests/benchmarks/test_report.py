"""The verdict follows from the figures."""

import math

import pytest

from tests.benchmarks.report import Figure, all_held, verdict


def figure(ratio, **goal):
    return Figure("speed", "1/s", "2/s", ratio, **goal)


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
