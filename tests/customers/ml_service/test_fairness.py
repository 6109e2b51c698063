"""Figures of groups of customers, from scores and from who left."""

import json

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from customers.ml_service.fairness import (
    FAR,
    FIELDS,
    MOST_WORDS,
    OTHER_WORDS,
    GroupFigures,
    Tally,
    class_names,
    figures,
    in_order,
    largest_words,
    masks,
    tally,
)
from customers.ml_service.intervals import Rate, rate_of

PICK = np.random.default_rng(11)
SCORES = PICK.uniform(0, 1, 400)
LEFT = (PICK.uniform(0, 1, 400) < SCORES).astype(int)
THRESHOLDS = (0.25, 0.5, 0.75)


def test_rates_are_those_of_a_confusion_matrix_at_each_threshold():
    found = figures(tally(SCORES, THRESHOLDS, LEFT))
    for place, threshold in enumerate(THRESHOLDS):
        stayed_below, stayed_above, left_below, left_above = confusion_matrix(LEFT, threshold <= SCORES).ravel()
        assert found.selected[place].share == pytest.approx((stayed_above + left_above) / 400)
        assert found.true_positive[place] == rate_of(left_above, left_above + left_below)
        assert found.false_positive[place] == rate_of(stayed_above, stayed_above + stayed_below)
    assert (found.customers, found.left) == (400, LEFT.sum())
    assert found.mean_score == pytest.approx(SCORES.mean())
    assert found.share_left == rate_of(LEFT.sum(), 400)


def test_a_score_on_a_threshold_is_selected():
    assert tally(np.array([0.25, 0.2499]), THRESHOLDS).customers == [1, 1, 0, 0]


def test_without_outcomes_only_the_selected_are_known():
    found = figures(tally(SCORES, THRESHOLDS))
    assert found.selected == figures(tally(SCORES, THRESHOLDS, LEFT)).selected
    assert (found.left, found.share_left, found.true_positive, found.false_positive) == (None, None, (), ())
    assert found.result == "too few to tell"


def test_of_few_nothing_is_told_but_their_number():
    found = figures(tally(SCORES[:49], THRESHOLDS, LEFT[:49]))
    assert (found.customers, found.mean_score, found.share_left) == (49, None, None)
    assert found.selected == (None,) * 3
    assert found.result == "too few to tell"


def test_a_rate_among_few_leavers_is_not_told_where_that_among_stayers_is():
    left = np.array([1] * 49 + [0] * 51)
    found = figures(tally(SCORES[:100], THRESHOLDS, left))
    assert found.true_positive == (None,) * 3
    assert None not in found.false_positive


def test_tallies_add_up():
    halves = tally(SCORES[:150], THRESHOLDS, LEFT[:150]) + tally(SCORES[150:], THRESHOLDS, LEFT[150:])
    whole = tally(SCORES, THRESHOLDS, LEFT)
    assert (halves.customers, halves.left) == (whole.customers, whole.left)
    assert halves.score_sum == pytest.approx(whole.score_sum)
    assert (tally(SCORES, THRESHOLDS, LEFT) + tally(SCORES, THRESHOLDS)).left is None


@pytest.mark.parametrize(
    ("mean_score", "result", "far"),
    [(0.2, "as expected", False), (0.155, "too low", False), (0.149, "too low", True), (0.3, "too high", True)],
)
def test_scores_are_off_where_chance_does_not_explain_it_and_far_where_it_matters(mean_score, result, far):
    found = GroupFigures(2000, mean_score, 400, rate_of(400, 2000))
    assert (found.result, found.is_far) == (result, far)
    assert FAR == 0.05


def test_a_database_gives_back_what_it_was_given():
    found = figures(tally(SCORES, THRESHOLDS, LEFT))
    assert GroupFigures.from_json(json.loads(json.dumps(found.as_json()))) == found
    assert isinstance(found.selected[0], Rate)
    few = figures(tally(SCORES[:9], THRESHOLDS))
    assert GroupFigures.from_json(json.loads(json.dumps(few.as_json()))) == few


class TestGroups:
    COLUMNS = {
        "geography": np.array(["Italy", "Senegal", "Italy", "India"]),
        "gender": np.array(["Female", "Male", "Female", "Male"]),
        "age": np.array([18, 29, 30, 91]),
        "num_of_products": np.array([1, 2, 3, 7]),
        "is_active_member": np.array([True, False, True, True]),
    }

    @pytest.mark.parametrize("field", FIELDS)
    def test_every_customer_is_in_one_group_of_each_field(self, field):
        assert sum(mask.astype(int) for mask in masks(field, self.COLUMNS[field]).values()).tolist() == [1] * 4

    def test_groups_are_words_classes_and_answers(self):
        assert list(masks("geography", self.COLUMNS["geography"])) == ["India", "Italy", "Senegal"]
        assert {name: mask.sum() for name, mask in masks("age", self.COLUMNS["age"]).items()} == {
            "18-29": 2,
            "30-44": 1,
            "45-59": 0,
            "60+": 1,
        }
        assert masks("num_of_products", self.COLUMNS["num_of_products"])["3+"].tolist() == [False, False, True, True]
        assert masks("is_active_member", self.COLUMNS["is_active_member"])["0"].tolist() == [False, True, False, False]
        assert class_names((0, 1, 5)) == ["0", "1-4", "5+"]

    def test_training_and_checks_make_the_same_groups_of_many_words(self):
        pick = np.random.default_rng(1)
        countries = np.array([f"Country {number:02}" for number in pick.zipf(1.3, 900) % 40])
        found = masks("geography", countries)
        tallies = {str(word): Tally([int((countries == word).sum())], 0.0) for word in np.unique(countries)}
        by_tally = largest_words(tallies)
        assert len(found) == MOST_WORDS + 1
        assert {word: int(mask.sum()) for word, mask in found.items()} == {
            word: it.customers[0] for word, it in by_tally.items()
        }

    def test_rare_words_are_one_group_where_there_are_many(self):
        many = {f"Country {number:02}": Tally([number, 0], 0.5, [1, 0]) for number in range(1, MOST_WORDS + 4)}
        found = largest_words(many)
        assert len(found) == MOST_WORDS + 1
        assert found[OTHER_WORDS] == Tally([1 + 2 + 3, 0], 1.5, [3, 0])
        assert sum(sum(it.customers) for it in found.values()) == sum(sum(it.customers) for it in many.values())
        assert largest_words({"France": many["Country 01"]}) == {"France": many["Country 01"]}

    def test_the_order_is_theirs_whatever_the_database_made_of_it(self):
        groups = {"age": {"60+": 1, "18-29": 2}, "geography": {"Spain": 3, "France": 4}}
        assert [found[:2] for found in in_order(groups)] == [
            ("geography", "France"),
            ("geography", "Spain"),
            ("age", "18-29"),
            ("age", "60+"),
        ]
