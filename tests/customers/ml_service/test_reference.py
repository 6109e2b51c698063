"""The shares that a later portfolio is compared with."""

import json
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.ml_service.reference import COLUMNS, Intervals, Reference, Values, describe
from customers.ml_service.schema import FEATURES

ANY_CUSTOMER = {
    "credit_score": 600,
    "geography": "France",
    "gender": "Male",
    "age": 40,
    "tenure": 3,
    "balance": 50000.0,
    "num_of_products": 1,
    "has_cr_card": 1,
    "is_active_member": 0,
}


def people(**columns):
    """Rows that differ in these columns."""
    (length,) = {len(values) for values in columns.values()}
    return [
        tuple(columns[name][i] if name in columns else ANY_CUSTOMER[name] for name in FEATURES) for i in range(length)
    ]


def described(**columns):
    rows = people(**columns)
    return describe(rows, np.linspace(0.1, 0.9, len(rows)))["columns"]


def stored(**columns):
    """A reference as it comes back from the database."""
    rows = people(**columns)
    return json.loads(json.dumps(describe(rows, [0.5] * len(rows))))


class TestTenths:
    def test_many_values_are_cut_into_tenths(self):
        found = described(age=range(20, 80))["age"]
        assert found["edges"] == [26, 32, 38, 44, 50, 56, 62, 68, 74]
        assert found["shares"] == pytest.approx([0.1] * 10)

    def test_a_value_that_many_share_has_a_bin_of_its_own(self):
        balances = [Decimal(0)] * 40 + [Decimal(1000 * i) for i in range(1, 61)]
        found = described(balance=balances)["balance"]
        assert found["edges"][0] == 1000
        assert found["shares"][0] == 0.4
        assert found["shares"][1:] == pytest.approx([0.1] * 6)

    def test_one_value_alone_is_one_bin(self):
        assert described(age=[40] * 5)["age"] == {"edges": [], "shares": [1.0]}

    def test_no_edge_is_as_exact_as_a_customers_own_balance(self):
        rng = np.random.default_rng(3)
        for edge in described(balance=rng.normal(119_700, 27_000, 500).round(2))["balance"]["edges"]:
            assert edge == float(f"{edge:.2e}")

    @pytest.mark.parametrize("lower", [1000.0, 1000.25])
    def test_values_that_differ_in_later_digits_share_a_bin(self, lower):
        found = described(balance=[lower] * 5 + [1000.5] * 5)["balance"]
        assert found == {"edges": [], "shares": [1.0]}

    @given(st.lists(st.decimals(0, 200_000, places=2), min_size=1, max_size=50))
    def test_no_bin_is_empty_for_edges_that_were_cut_off(self, balances):
        assert min(described(balance=balances)["balance"]["shares"]) > 0

    @given(st.lists(st.integers(18, 110), min_size=1, max_size=300))
    def test_every_row_is_in_one_bin_and_none_is_larger_than_it_must_be(self, ages):
        found = described(age=ages)["age"]
        bounds = [-np.inf, *found["edges"], np.inf]
        counts = [sum(low <= age < high for age in ages) for low, high in pairwise(bounds)]
        assert found["shares"] == pytest.approx([count / len(ages) for count in counts])
        assert min(counts) > 0
        most_of_one_value = max(map(ages.count, ages))
        assert max(counts) <= len(ages) / 10 + most_of_one_value


class TestValues:
    def test_few_values_are_counted_one_by_one(self):
        found = described(num_of_products=[1, 1, 2, 4], geography=["Spain", "France", "Spain", "Spain"])
        assert found["num_of_products"] == {"values": [1, 2, 4], "shares": [0.5, 0.25, 0.25]}
        assert found["geography"] == {"values": ["France", "Spain"], "shares": [0.25, 0.75]}

    @pytest.mark.parametrize("flags", [[True, False, True, True], [1.0, 0.0, 1.0, 1.0], [1, 0, 1, 1]])
    def test_flags_are_numbers_however_they_are_given(self, flags):
        found = json.dumps(described(has_cr_card=flags)["has_cr_card"])
        assert found == '{"values": [0, 1], "shares": [0.25, 0.75]}'


class TestDescribe:
    def test_it_has_every_feature_and_the_score(self):
        found = describe(people(age=range(20, 70)), np.linspace(0, 1, 50))
        assert found["rows"] == 50
        assert tuple(found["columns"]) == COLUMNS == (*FEATURES, "score")
        assert len(found["columns"]["score"]["edges"]) == 9

    @pytest.mark.parametrize("scores", [[], [0.5], [0.5] * 3])
    def test_as_many_scores_as_rows_are_needed(self, scores):
        with pytest.raises(ValueError, match=r"2 rows and \d scores cannot be described"):
            describe(people(age=[40, 41]), scores)

    def test_no_customers_cannot_be_described(self):
        with pytest.raises(ValueError, match="0 rows"):
            describe([], [])


class TestReadAgain:
    def test_it_comes_back_as_it_was(self):
        found = Reference.from_metadata(stored(age=range(20, 80), num_of_products=[1, 2] * 30))
        assert found.rows == 60
        assert found.columns["num_of_products"] == Values((1, 2), (0.5, 0.5))
        assert isinstance(found.columns["age"], Intervals)
        assert set(found.columns) == set(COLUMNS)

    def test_bins_are_named_for_people(self):
        found = Reference.from_metadata(stored(balance=[1000.0 * i for i in range(200)]))
        names = found.columns["balance"].names("{:,g}".format)
        assert (names[0], names[1], names[-1]) == ("below 20,000", "20,000 to below 40,000", "180,000 or more")
        assert found.columns["gender"].names(str) == ("Male",)
        assert found.columns["age"].names(str) == ("any",)

    @pytest.mark.parametrize("foreign", [None, "words", [], {}, {"rows": 5}, {"rows": 5, "columns": []}])
    def test_something_else_is_no_reference(self, foreign):
        with pytest.raises(ValueError, match="must be an object with the keys rows and columns"):
            Reference.from_metadata(foreign)

    @pytest.mark.parametrize("rows", [None, 0, -1, 1.5, True, "8000"])
    def test_nor_is_one_of_an_unknown_customer(self, rows):
        with pytest.raises(ValueError, match="a whole number from 1 on"):
            Reference.from_metadata({**stored(age=[40]), "rows": rows})

    @pytest.mark.parametrize(
        ("name", "column", "reason"),
        [
            ("age", None, "must describe age"),
            ("age", {"values": [40], "shares": [1.0]}, "the edges of age must be a list of numbers"),
            ("age", {"edges": [50, 40], "shares": [0.2, 0.3, 0.5]}, "the edges of age must rise"),
            ("age", {"edges": [float("inf")], "shares": [0.5, 0.5]}, "the edges of age must be a list of numbers"),
            ("age", {"edges": [10**400], "shares": [0.5, 0.5]}, "the edges of age must be a list of numbers"),
            ("age", {"edges": [40], "shares": [1.0]}, "one share for each of its 2 bins, not 1"),
            ("age", {"edges": [40], "shares": [0.7, 0.7]}, "the shares of age must add up to 1"),
            ("age", {"edges": [40], "shares": [-0.5, 1.5]}, "the shares of age must add up to 1"),
            ("age", {"edges": [], "shares": ["all"]}, "the shares of age must be a list of numbers"),
            ("age", {"edges": [], "shares": []}, "the shares of age must add up to 1"),
            ("tenure", {"edges": [], "shares": [1.0]}, "the values of tenure must be a list of different numbers"),
            ("tenure", {"values": ["3"], "shares": [1.0]}, "the values of tenure must be a list of different numbers"),
            ("tenure", {"values": [3, 3], "shares": [0.5, 0.5]}, "must be a list of different numbers"),
            ("gender", {"values": [0, 1], "shares": [0.5, 0.5]}, "the values of gender must be a list of different w"),
        ],
    )
    def test_what_is_wrong_with_a_column_is_named(self, name, column, reason):
        reference = stored(age=[40])
        reference["columns"][name] = column
        with pytest.raises(ValueError, match=reason):
            Reference.from_metadata(reference)
