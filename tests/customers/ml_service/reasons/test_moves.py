"""Why a score moved, by the contributions of two scores."""

import pytest

from customers.ml_service.reasons.moves import Move, moves

BEFORE = [0.0, 0.1, 0.0, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0]


def moved(after, before_score=0.35, after_score=None, **options):
    score = 0.2 + sum(after) if after_score is None else after_score
    return moves(BEFORE, before_score, after, score, **options)


def test_nothing_moved():
    assert moved(BEFORE) == ()


def test_the_weightiest_comes_first_and_all_are_the_difference():
    after = [0.0, 0.1, 0.0, 0.25, 0.0, -0.03, 0.0, 0.0, 0.0]
    found = moved(after)
    assert [move.part for move in found] == ["age", "balance"]
    assert sum(move.points for move in found) == pytest.approx(100 * (sum(after) - sum(BEFORE)))


def test_what_another_model_changes_for_all_customers_is_its_own_part():
    [move] = moved(BEFORE, after_score=0.40)
    assert (move.part, move.points) == ("model", pytest.approx(5.0))


def test_country_and_gender_are_other_factors_unless_they_may_be_named():
    after = [0.0, 0.04, 0.02, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0]
    [move] = moved(after)
    assert (move.part, move.points) == ("other_factors", pytest.approx(-4.0))
    assert [move.part for move in moved(after, protected=())] == ["geography", "gender"]


def test_a_twentieth_of_a_point_is_seen_and_less_is_not():
    assert moved([0.0, 0.1, 0.0, 0.0506, 0.0, 0.0, 0.0, 0.0, 0.0]) == (Move("age", pytest.approx(0.06)),)
    assert moved([0.0, 0.1, 0.0, 0.0504, 0.0, 0.0, 0.0, 0.0, 0.0]) == ()
