"""What can be true of a customer: words of the bank's own, and bounds that a setting may change."""

from decimal import Decimal

import pytest

from customers.ml_service.files.golden import generate_rows
from customers.ml_service.forest.encoding import find_faults
from customers.ml_service.schema import BOUNDS, DEFAULT_BOUNDS, FEATURES, VERIFIED_WITH, is_word, set_bounds


@pytest.fixture
def bounds():
    """Set bounds as text, such as age="16-120"; afterwards those of the code hold again."""
    yield lambda **changes: set_bounds({name: tuple(map(Decimal, ends)) for name, ends in changes.items()})
    set_bounds({})


@pytest.mark.parametrize("word", ["Italy", "São Tomé e Príncipe", "Côte d'Ivoire", "x" * 60, "印度"])
def test_a_word_is_whatever_the_bank_calls_a_country(word):
    assert is_word(word)


@pytest.mark.parametrize(
    "word", ["", " ", " Italy", "Italy\N{NO-BREAK SPACE}", "x" * 61, "a\nb", "\x7f", "\ud800", 7, None]
)
def test_what_is_empty_padded_too_long_or_unprintable_is_none(word):
    assert not is_word(word)


def test_bounds_that_are_set_hold_at_once_and_the_others_stay(bounds):
    assert find_faults({"age": 16, "num_of_products": 20}).keys() == {"age", "num_of_products"}
    bounds(age=("16", "120"), num_of_products=("1", "20"), balance=("-50000.50", "1000000"))
    assert find_faults({"age": 16, "num_of_products": 20, "balance": Decimal("-50000.50")}) == {}
    assert find_faults({"age": 15, "num_of_products": 21, "balance": -50001}) == {
        "age": "expected a whole number from 16 to 120",
        "num_of_products": "expected a whole number from 1 to 20",
        "balance": "expected a number from -50,000.50 to 1,000,000",
    }
    assert BOUNDS["tenure"] == DEFAULT_BOUNDS["tenure"]
    bounds()
    assert BOUNDS == DEFAULT_BOUNDS


@pytest.mark.parametrize(
    ("name", "ends", "said"),
    [
        ("has_cr_card", ("0", "2"), "^has_cr_card has no bounds that can be set; expected one of credit_score, age"),
        ("age", ("120", "16"), "^age=120-16: expected whole numbers from -32768 to 32767, the lower one first$"),
        ("age", ("16.5", "120"), "expected whole numbers"),
        ("age", ("16", "40000"), "expected whole numbers"),
        ("balance", ("0", "10000000000000"), "expected numbers of at most two decimals"),
        ("balance", ("-0.001", "200000"), "expected numbers of at most two decimals"),
        ("age", ("21", "120"), "no model could be verified .* values from 18 to 80; include these$"),
        ("num_of_products", ("1", "3"), "no model could be verified"),
    ],
)
def test_bounds_that_the_table_or_a_model_cannot_follow_are_refused_and_nothing_changes(bounds, name, ends, said):
    with pytest.raises(ValueError, match=said):
        bounds(**{name: ends})
    assert BOUNDS == DEFAULT_BOUNDS


def test_what_models_are_verified_with_lies_within():
    for row in generate_rows(200):
        values = dict(zip(FEATURES, row, strict=True))
        assert all(low <= values[name] <= high for name, (low, high) in VERIFIED_WITH.items())
