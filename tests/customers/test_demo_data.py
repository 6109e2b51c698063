"""Made-up customers: possible, reproducible, and spread as a bank's are."""

from functools import cache
from itertools import islice

import numpy as np
import pytest

from customers.demo_data import BLOCK_ROWS, generate, generate_named, surnames
from customers.ml_service.schema import BOUNDS, CATEGORIES, FEATURES
from tests.customers.churn_labels import as_columns, churn_labels, churn_probabilities

MANY = 50_000


@cache
def sample():
    rows = list(generate(MANY, seed=1))
    return as_columns(rows), churn_labels(rows, seed=1)


def share(mask, of=None):
    columns, _ = sample()
    return float(np.mean(mask(columns) if of is None else mask(columns)[of(columns)]))


def churn_rate(of):
    columns, labels = sample()
    return float(labels[of(columns)].mean())


def german(columns):
    return columns["geography"] == "Germany"


def elsewhere(columns):
    return ~german(columns)


def empty(columns):
    return columns["balance"] == 0


def products(number):
    return lambda columns: columns["num_of_products"] == number


class TestReproducible:
    def test_the_same_seed_gives_the_same_customers(self):
        assert list(generate(500, seed=3)) == list(generate(500, seed=3))
        assert list(generate_named(500, 3, first_id=10)) == list(generate_named(500, 3, first_id=10))

    def test_another_seed_gives_others(self):
        assert list(generate(500, seed=3)) != list(generate(500, seed=4))
        assert list(surnames(500, seed=3)) != list(surnames(500, seed=4))

    def test_a_small_portfolio_is_the_beginning_of_a_large_one(self):
        small, large = BLOCK_ROWS + 7, 2 * BLOCK_ROWS + 3
        assert list(generate(small, seed=3)) == list(islice(generate(large, seed=3), small))

    def test_no_block_repeats_another(self):
        rows = list(generate_named(2 * BLOCK_ROWS, 3, first_id=1))
        assert [row[2:] for row in rows[:50]] != [row[2:] for row in rows[BLOCK_ROWS : BLOCK_ROWS + 50]]
        assert [row[1] for row in rows[:50]] != [row[1] for row in rows[BLOCK_ROWS : BLOCK_ROWS + 50]]

    def test_labels_depend_on_their_seed_alone(self):
        rows = list(generate(500, seed=3))
        assert (churn_labels(rows, seed=5) == churn_labels(rows, seed=5)).all()
        assert (churn_labels(rows, seed=5) != churn_labels(rows, seed=6)).any()

    @pytest.mark.parametrize("count", [0, 1, BLOCK_ROWS, BLOCK_ROWS + 1])
    def test_exactly_as_many_as_wanted(self, count):
        assert sum(1 for _ in generate_named(count, 3, first_id=10)) == count


class TestPossible:
    def test_every_value_is_one_that_the_model_and_the_database_take(self):
        columns, _ = sample()
        assert tuple(columns) == FEATURES
        for field, words in CATEGORIES.items():
            assert set(columns[field]) == set(words)
        for field, (low, high, integral) in BOUNDS.items():
            assert low <= columns[field].min() <= columns[field].max() <= high
            assert not integral or (columns[field] == np.rint(columns[field])).all()

    def test_values_are_plain_python_for_json_and_psycopg(self):
        for row in generate(50, seed=1):
            assert [type(value) for value in row] == [int, str, str, int, int, float, int, bool, bool]
            assert round(row[5], 2) == row[5]

    def test_names_are_made_of_syllables_and_ids_follow_one_another(self):
        named = list(generate_named(1000, 1, first_id=77))
        assert [row[0] for row in named] == list(range(77, 1077))
        assert all(row[1].isalpha() and row[1].istitle() and len(row[1]) <= 20 for row in named)
        assert len({row[1] for row in named}) > 500


class TestLifelike:
    def test_one_in_five_leaves(self):
        assert churn_rate(lambda columns: columns["age"] > 0) == pytest.approx(0.2038, abs=0.01)

    def test_no_customer_in_germany_has_an_empty_account_and_half_of_the_others_have(self):
        assert share(empty, of=german) == 0
        assert share(empty, of=elsewhere) == pytest.approx(0.487, abs=0.015)

    def test_a_quarter_lives_in_germany_and_leaves_twice_as_often(self):
        assert share(german) == pytest.approx(0.248, abs=0.01)
        assert churn_rate(german) == pytest.approx(0.32, abs=0.03)
        assert churn_rate(elsewhere) == pytest.approx(0.165, abs=0.02)

    @pytest.mark.parametrize(("number", "rate"), [(1, 0.28), (2, 0.076), (3, 0.83), (4, 1.0)])
    def test_the_number_of_products_tells_most(self, number, rate):
        assert churn_rate(products(number)) == pytest.approx(rate, abs=0.03)

    def test_with_one_product_an_empty_account_means_more_risk_with_two_less(self):
        def one(columns):
            return products(1)(columns) & empty(columns) & elsewhere(columns)

        def two(columns):
            return products(2)(columns) & empty(columns)

        assert churn_rate(one) == pytest.approx(0.37, abs=0.05)
        assert churn_rate(two) == pytest.approx(0.03, abs=0.02)

    def test_risk_peaks_in_the_middle_fifties(self):
        rates = [
            churn_rate(lambda columns, low=low, high=high: (columns["age"] >= low) & (columns["age"] <= high))
            for low, high in [(18, 31), (54, 56), (66, 72)]
        ]
        assert rates == pytest.approx([0.09, 0.55, 0.18], abs=0.05)

    def test_the_inactive_leave_twice_as_often(self):
        inactive = churn_rate(lambda columns: ~columns["is_active_member"])
        active = churn_rate(lambda columns: columns["is_active_member"])
        assert (inactive, active) == (pytest.approx(0.27, abs=0.03), pytest.approx(0.14, abs=0.03))

    @pytest.mark.parametrize(
        ("row", "logit"),
        [
            ((650, "France", "Male", 35, 5, 1000.0, 1, True, True), -3.1165),
            ((650, "Germany", "Female", 57, 5, 1000.0, 3, True, False), 6.3744),
            ((404, "Spain", "Male", 20, 10, 0.0, 2, False, True), -1.128012),
        ],
    )
    def test_the_probability_is_that_of_the_formula(self, row, logit):
        [probability] = churn_probabilities(as_columns([row]))
        assert np.log(probability / (1 - probability)) == pytest.approx(logit, abs=1e-6)

    def test_probabilities_and_labels_agree(self):
        columns, labels = sample()
        probabilities = churn_probabilities(columns)
        assert 0 < probabilities.min() < probabilities.max() < 1
        certain = probabilities > 0.9
        assert labels[certain].mean() == pytest.approx(probabilities[certain].mean(), abs=0.02)
