"""One customer with other values: what is compared, what is refused, and in which words."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customers import ml_service
from customers.ml_service import FEATURES, NOTE, InputError, compare
from customers.ml_service.files.golden import generate_rows
from tests.customers.ml_service.forests import CUSTOMER, as_mapping, as_numbers, fit, forest_of, shapes

FOREST = forest_of(fit())


@settings(max_examples=15)
@given(shape=shapes, seed=st.integers(0, 999), changed=st.sets(st.sampled_from(FEATURES)))
def test_both_scores_are_those_of_scikit_learn(shape, seed, changed):
    model = fit(150, **shape)
    before, other = generate_rows(2, seed)
    after = tuple(b if name in changed else a for name, a, b in zip(FEATURES, before, other, strict=True))
    asked = {name: value for name, value in as_mapping(other).items() if name in changed}
    answer = compare(forest_of(model), as_mapping(before), asked)
    expected = model.predict_proba(as_numbers([before, after]))[:, 1]
    np.testing.assert_allclose([answer.score_before, answer.score_after], expected, rtol=0, atol=1e-12)
    assert answer.changes == asked


def test_delta_is_negative_where_the_changes_lower_the_risk():
    answer = compare(FOREST, CUSTOMER | {"age": 70}, {"age": 20, "is_active_member": True})
    assert answer.delta == answer.score_after - answer.score_before < 0


def test_without_changes_nothing_moves():
    answer = compare(FOREST, CUSTOMER, {})
    assert (answer.score_before, answer.delta) == (FOREST.predict_one(CUSTOMER), 0)


def test_neither_the_customer_nor_the_changes_are_altered():
    customer, changes = dict(CUSTOMER), {"age": 20}
    answer = compare(FOREST, customer, changes)
    changes["age"] = 21
    assert (customer, answer.changes) == (CUSTOMER, {"age": 20})


@pytest.mark.parametrize("value", [35, 35.0, Decimal(35), np.int16(35)])
def test_values_may_be_any_numbers_that_can_be_scored(value):
    assert compare(FOREST, CUSTOMER, {"age": value}).score_after == FOREST.predict_one(CUSTOMER | {"age": 35})


@pytest.mark.parametrize(
    ("customer", "changes", "field", "words"),
    [
        (CUSTOMER, {"age": 12}, "age", "^age is 12; expected a whole number from 18 to 110"),
        (CUSTOMER | {"age": 12}, {}, "age", "^age is 12"),
        (CUSTOMER, {"geography": "Senegal"}, "geography", "^The model does not know the country Senegal; it"),
        (CUSTOMER, {"salary": 1}, "salary", "^salary: no such field; expected one of credit_score, geography"),
        ({"age": 40}, {}, "credit_score", "^credit_score is missing"),
        (None, {}, None, "^customer data must be a mapping"),
        (CUSTOMER, ["age"], None, "^changes must be a mapping of fields to values, not list"),
    ],
)
def test_what_cannot_be_compared_is_named(customer, changes, field, words):
    with pytest.raises(InputError, match=words) as caught:
        compare(FOREST, customer, changes)
    assert (caught.value.field, caught.value.row) == (field, None)


def test_a_customer_may_lack_nothing_even_if_the_changes_would_supply_it():
    with pytest.raises(InputError, match="age is missing"):
        compare(FOREST, {name: value for name, value in CUSTOMER.items() if name != "age"}, {"age": 40})


def test_it_says_that_association_is_no_effect():
    assert compare(FOREST, CUSTOMER, {}).caveat == NOTE
    assert NOTE == "Estimate from past customers; not a guaranteed effect."


def test_the_public_function_asks_the_configured_forest():
    answer = ml_service.what_if(CUSTOMER, {"age": 60})
    assert answer.score_before == ml_service.predict_churn(CUSTOMER)
    assert answer.score_after == ml_service.predict_churn(CUSTOMER | {"age": 60})
