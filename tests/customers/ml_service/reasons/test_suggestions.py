"""What would lower a customer's risk: never anything worse, nothing impossible, nothing that a bank would not offer."""

from dataclasses import asdict
from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from customers import ml_service
from customers.ml_service import BOUNDS, FEATURES, GENDERS, GEOGRAPHIES, NOTE, InputError, best_changes
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.forest import engine
from customers.ml_service.forest.encoding import find_faults
from customers.ml_service.messages import NO_BREAK
from customers.ml_service.reasons.suggestions import BALANCES, PRODUCTS, SMALLEST_GAIN, balance_steps, points_between
from tests.customers.ml_service.forests import CUSTOMER, as_mapping, as_numbers, fit, forest_of, shapes

ALL = 99


def whole(name):
    return st.integers(BOUNDS[name].low, BOUNDS[name].high)


customers = st.fixed_dictionaries(
    {
        "credit_score": whole("credit_score"),
        "geography": st.sampled_from(GEOGRAPHIES),
        "gender": st.sampled_from(GENDERS),
        "age": whole("age"),
        "tenure": whole("tenure"),
        "balance": st.one_of(
            st.just(0), st.floats(0, 250_000), st.decimals(0, BOUNDS["balance"].high, allow_nan=False, places=2)
        ),
        "num_of_products": st.one_of(st.integers(1, 4), whole("num_of_products")),
        "has_cr_card": st.sampled_from([0, 1, False, True]),
        "is_active_member": st.sampled_from([0, 1, False, True]),
    }
)
many_examples = settings(max_examples=100)


@many_examples
@given(shape=shapes, customer=customers)
@example(shape={"n_estimators": 500, "seed": 7}, customer=CUSTOMER)
def test_a_suggested_score_is_that_of_the_changed_customer(shape, customer):
    model = fit(150, **shape)
    forest = forest_of(model)
    for suggestion in best_changes(forest, customer, limit=ALL):
        changed = customer | suggestion.changes
        row = [tuple(changed[name] for name in FEATURES)]
        assert suggestion.score_before == forest.predict_one(customer)
        assert suggestion.score_after == forest.predict_one(changed)
        assert suggestion.score_after == pytest.approx(model.predict_proba(as_numbers(row))[0, 1], abs=1e-12)


@many_examples
@given(shape=shapes, customer=customers)
def test_what_is_suggested_is_possible_and_worth_it(shape, customer):
    forest = forest_of(fit(150, **shape))
    suggestions = best_changes(forest, customer, limit=ALL)
    for suggestion in suggestions:
        assert 1 <= len(suggestion.changes) <= 2
        assert find_faults(suggestion.changes) == {}
        assert suggestion.changes.get("is_active_member", True) is True
        assert suggestion.changes.get("has_cr_card", True) is True
        assert suggestion.changes.get("num_of_products", 1) in PRODUCTS
        assert suggestion.changes.get("balance", 60_000) in BALANCES
        assert suggestion.changes.get("balance", 1e15) > customer["balance"]
        assert all(value != customer[name] for name, value in suggestion.changes.items())
        assert suggestion.points_gained >= SMALLEST_GAIN
    scores = [suggestion.score_after for suggestion in suggestions]
    assert scores == sorted(scores)
    assert len({suggestion.code for suggestion in suggestions}) == len(suggestions)


@many_examples
@given(shape=shapes, customer=customers)
def test_a_pair_gains_more_than_either_half(shape, customer):
    forest = forest_of(fit(150, **shape))
    for suggestion in best_changes(forest, customer, limit=ALL):
        for half in suggestion.changes.items() if len(suggestion.changes) == 2 else ():
            alone = forest.predict_one(customer | dict([half]))
            assert points_between(alone, suggestion.score_after) >= SMALLEST_GAIN


@many_examples
@given(shape=shapes, customer=customers)
def test_nothing_much_better_was_overlooked(shape, customer):
    """One by one, without the plans: a gain of two points leads to a suggestion that is within two of it."""
    forest = forest_of(fit(150, **shape))
    changes = [
        {"is_active_member": True},
        {"has_cr_card": True},
        *({"num_of_products": number} for number in PRODUCTS),
        *({"balance": step.value} for step in balance_steps(float(customer["balance"]))),
    ]
    pairs = [one | other for one, other in combinations(changes, 2)]
    best = min(forest.predict_one(customer | change) for change in changes + pairs)
    suggestions = best_changes(forest, customer)
    if points_between(forest.predict_one(customer), best) >= 2 * SMALLEST_GAIN:
        assert points_between(suggestions[0].score_after, best) < 2 * SMALLEST_GAIN


# --- forests that have learned one thing ------------------------------------------------------------------------------


def forest_that_learned(leaves):
    """Every tree of it has seen all customers, so that it knows for certain who left."""
    rows = generate_rows(600, seed=4)
    model = RandomForestClassifier(n_estimators=2, bootstrap=False, max_features=None, random_state=1)
    return forest_of(model.fit(as_numbers(rows), [leaves(as_mapping(row)) for row in rows]))


def codes(forest, **fields):
    return [suggestion.code for suggestion in best_changes(forest, CUSTOMER | fields, limit=ALL)]


def test_one_change_that_is_enough_is_suggested_alone():
    forest = forest_that_learned(lambda customer: not customer["is_active_member"])
    (suggestion,) = best_changes(forest, CUSTOMER)
    assert (suggestion.code, suggestion.changes) == ("BECOME_ACTIVE", {"is_active_member": True})
    assert (suggestion.score_before, suggestion.score_after, suggestion.points_gained) == (1, 0, 100)
    assert suggestion.text.replace(NO_BREAK, " ") == "Active: 100.0 % → 0.0 %"


def test_a_pair_is_suggested_where_neither_half_helps():
    forest = forest_that_learned(lambda it: not (it["is_active_member"] and it["has_cr_card"]))
    (suggestion,) = best_changes(forest, CUSTOMER | {"has_cr_card": 0})
    assert suggestion.code == "BECOME_ACTIVE_AND_TAKE_CREDIT_CARD"
    assert suggestion.changes == {"is_active_member": True, "has_cr_card": True}
    assert suggestion.text.startswith("Credit card and active: ")


def test_a_pair_gives_way_to_another_value_of_one_of_its_fields():
    forest = forest_that_learned(
        lambda it: it["num_of_products"] > 2 or (it["num_of_products"] == 1 and it["balance"] < 90_000)
    )
    assert codes(forest, num_of_products=3) == ["FEWER_PRODUCTS"]


def test_no_suggestion_changes_a_protected_field():
    forest = forest_that_learned(lambda customer: not customer["is_active_member"])
    assert best_changes(forest, CUSTOMER, protected=("is_active_member",)) == ()


def test_nothing_is_suggested_to_a_customer_who_is_safe():
    forest = forest_that_learned(lambda customer: not customer["is_active_member"])
    assert best_changes(forest, CUSTOMER | {"is_active_member": 1}) == ()


def test_no_customer_is_asked_to_become_inactive_to_return_a_card_or_to_take_money_away():
    forest = forest_that_learned(lambda it: it["is_active_member"] or it["has_cr_card"] or it["balance"] > 0)
    assert codes(forest, is_active_member=1, has_cr_card=1, balance=80_000) == []


@pytest.mark.parametrize(
    ("own", "good", "code"),
    [(1, 2, "MORE_PRODUCTS"), (2, 1, "FEWER_PRODUCTS"), (3, 2, "FEWER_PRODUCTS"), (4, 1, "FEWER_PRODUCTS")],
)
def test_the_number_of_products_may_go_either_way(own, good, code):
    forest = forest_that_learned(lambda customer: customer["num_of_products"] != good)
    (suggestion,) = best_changes(forest, CUSTOMER | {"num_of_products": own})
    assert (suggestion.code, suggestion.changes) == (code, {"num_of_products": good})
    assert suggestion.text.startswith("1 product: " if good == 1 else "2 products: ")


def test_numbers_of_products_that_the_model_has_hardly_seen_are_not_suggested():
    assert codes(forest_that_learned(lambda customer: customer["num_of_products"] < 3)) == []


def test_of_several_steps_of_the_balance_the_smallest_that_does_is_suggested():
    forest = forest_that_learned(lambda customer: customer["balance"] < 130_000)
    (suggestion,) = best_changes(forest, CUSTOMER | {"balance": 100_000})
    assert suggestion.changes == {"balance": 150_000}
    assert suggestion.text.startswith("Balance 150,000: ")
    [suggestion] = best_changes(forest, CUSTOMER | {"balance": 100_000}, format_money=lambda it: f"CHF {it}")
    assert suggestion.text.startswith("Balance CHF 150000: ")


@pytest.mark.parametrize(
    ("own", "higher"),
    [
        (0, [50_000, 100_000]),  # 25,000 is a balance that hardly any customer has
        (30_000, [55_000, 80_000, 130_000]),
        (60_000.5, [86_000, 111_000, 161_000]),
        (120_000, [150_000, 180_000]),
        (190_000, []),
        (float(BOUNDS["balance"].high), []),
    ],
)
def test_the_balance_goes_up_in_steps_of_the_customers_own(own, higher):
    assert [step.value for step in balance_steps(own)] == higher


# --- how it is asked --------------------------------------------------------------------------------------------------


def test_everything_is_scored_in_one_call(monkeypatch):
    forest, matrices = forest_of(fit()), []
    score_rows = engine.score_rows
    monkeypatch.setattr(engine, "score_rows", lambda flat, matrix: matrices.append(matrix) or score_rows(flat, matrix))
    best_changes(forest, CUSTOMER | {"has_cr_card": 0})
    (matrix,) = matrices
    # The customer as is; then three single fields with one step each and the balance with three; then their pairs.
    assert len(matrix) == 1 + (1 + 1 + 1 + 3) + (3 + 3 * 3)
    assert len(np.unique(matrix, axis=0)) == len(matrix)


def test_no_more_are_given_than_were_asked_for():
    forest = forest_of(fit())
    everything = best_changes(forest, CUSTOMER, limit=ALL)
    assert len(everything) > 1
    assert best_changes(forest, CUSTOMER, limit=1) == everything[:1]
    assert best_changes(forest, CUSTOMER, limit=0) == ()


def test_a_customer_who_cannot_be_scored_is_refused_by_the_name_of_the_field():
    with pytest.raises(InputError, match=r"^balance is None; expected a number from -9") as caught:
        best_changes(forest_of(fit()), CUSTOMER | {"balance": None})
    assert caught.value.row is None


def test_a_suggestion_can_be_taken_apart_for_json():
    forest = forest_that_learned(lambda customer: not customer["is_active_member"])
    (suggestion,) = best_changes(forest, CUSTOMER)
    assert asdict(suggestion)["changes"] == {"is_active_member": True}
    assert suggestion.caveat == NOTE


def test_the_public_function_asks_the_configured_forest():
    for suggestion in ml_service.suggest(CUSTOMER, limit=3):
        assert suggestion.score_after == ml_service.predict_churn(CUSTOMER | suggestion.changes)
