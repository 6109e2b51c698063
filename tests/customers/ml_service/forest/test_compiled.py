import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from customers.ml_service import FEATURES, ModelClassError, ModelColumnsError, ModelCorruptError
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.forest import compiled, kernels
from customers.ml_service.forest.compiled import MAX_NODES, build, check_size, from_arrays, round_down, score_matrix
from customers.ml_service.schema import BANK_SPELLING
from tests.customers.ml_service.forests import as_numbers, fit, left, many_deep_trees, on_the_edges
from tests.customers.ml_service.shapley import score, trees_of
from tests.customers.ml_service.strategies import fitted, flat, matrices, trees

shapes = st.fixed_dictionaries(
    {
        "n_estimators": st.integers(1, 20),
        "max_depth": st.sampled_from([1, 2, 5, None]),
        "max_features": st.sampled_from([1, 4, 9, None]),
        "min_samples_leaf": st.sampled_from([1, 5]),
        "class_weight": st.sampled_from([None, "balanced", "balanced_subsample", {0: 1, 1: 7.3}]),
        "bootstrap": st.booleans(),
        "criterion": st.sampled_from(["gini", "entropy"]),
        "seed": st.integers(0, 99),
    }
)


def by_kernel(forest, matrix):
    scores = np.empty(len(matrix))
    kernels.score_rows(*forest.kernel_arrays, matrix, scores)
    return scores


def one_by_one(forest, matrix):
    return np.array([kernels.score_row(*forest.kernel_arrays, row) for row in matrix])


def assert_parity(model, numbers):
    """Our scores equal scikit-learn's own, which casts to float32 by itself."""
    matrix = np.ascontiguousarray(numbers, dtype=np.float32)
    assert_scores(build(model), matrix, model.predict_proba(numbers)[:, 1])


def assert_scores(forest, matrix, expected):
    """By all three ways."""
    for scores in (score_matrix, by_kernel, one_by_one):
        np.testing.assert_allclose(scores(forest, matrix), expected, rtol=0, atol=1e-12)


@settings(max_examples=25)
@given(shapes)
def test_scores_equal_scikit_learns_for_any_shape_of_forest(shape):
    model = fit(200, **shape)
    ordinary = as_numbers(generate_rows(70, seed=5))
    assert_parity(model, ordinary)
    assert_parity(model, on_the_edges(model, ordinary))


@settings(max_examples=40)
@given(fitted)
def test_scores_equal_scikit_learns_whatever_a_forest_was_fitted_on(fitted):
    model, numbers = fitted
    assert_parity(model, numbers)
    assert_parity(model, on_the_edges(model, numbers, n_nodes=200))


@settings(max_examples=60)
@given(st.lists(trees, min_size=1, max_size=5), matrices)
def test_trees_that_no_training_gives_are_walked_as_any(trees, matrix):
    assert_scores(flat(trees), matrix, [score(trees, row) for row in matrix])


def test_adversarial_thresholds_are_rounded_down_not_to_nearest(monkeypatch):
    # Irregular thresholds: balances are near 1e5, where float32 is some 0.008 apart.
    pick = np.random.default_rng(4)
    numbers = pick.uniform(0, 2e5, size=(3000, 9))
    model = RandomForestClassifier(20, random_state=0).fit(numbers, pick.integers(0, 2, 3000))
    rows = on_the_edges(model, numbers, n_nodes=5_000)
    assert_parity(model, rows)
    # The rows are adversarial indeed: with the nearest thresholds some go the wrong way.
    monkeypatch.setattr(compiled, "round_down", lambda thresholds: thresholds.astype(np.float32))
    with pytest.raises(AssertionError, match="Mismatched elements"):
        assert_parity(model, rows)


def test_round_down_gives_the_largest_float32_not_above():
    thresholds = np.array([0.1, -0.1, 1e39, -1e39, 0.0, 1e-50, np.inf, 3.0])
    rounded = round_down(thresholds)
    assert (rounded <= thresholds).all()
    assert rounded[2] == np.finfo(np.float32).max
    assert rounded[-1] == 3.0
    ordinary = [0, 1, 4, 5, 7]
    assert (np.nextafter(rounded[ordinary], np.float32(np.inf)) > thresholds[ordinary]).all()


def test_a_forest_of_single_leaves_scores_its_base_rate():
    rows = generate_rows(50)
    labels = left(rows)
    model = RandomForestClassifier(3, max_depth=1, min_samples_leaf=50, bootstrap=False).fit(as_numbers(rows), labels)
    assert all(estimator.tree_.node_count == 1 for estimator in model.estimators_)
    assert_parity(model, as_numbers(rows))


def test_500_deep_trees_of_pure_noise():
    model = many_deep_trees()
    assert max(estimator.get_depth() for estimator in model.estimators_) > 20
    numbers = np.random.default_rng(2).normal(size=(200, 9))
    assert_parity(model, numbers)
    assert_parity(model, on_the_edges(model, numbers, n_nodes=500))


@pytest.mark.parametrize("shape", [{"n_estimators": 1}, {"max_depth": 1}, {"n_estimators": 1, "max_depth": 1}])
def test_one_tree_and_stumps(shape):
    model, numbers = fit(**shape), as_numbers(generate_rows(50))
    assert_parity(model, on_the_edges(model, numbers))
    # Said by the trees themselves, walked in Python.
    assert_scores(build(model), numbers.astype(np.float32), [score(trees_of(model), row) for row in numbers])


def test_a_chain_as_deep_as_its_leaves():
    numbers = np.tile(np.arange(300.0)[:, None] ** 2, (1, 9))
    model = RandomForestClassifier(2, max_features=1, bootstrap=False, random_state=0)
    model.fit(numbers, np.arange(300) % 2)
    assert_parity(model, numbers)


@pytest.mark.parametrize("classes", [[False, True], ["0", "1"], [0.0, 1.0], [0, 1]])
def test_classes_that_mean_zero_and_one(classes):
    rows = generate_rows(200)
    labels = np.array(classes)[left(rows)]
    assert_parity(RandomForestClassifier(4, random_state=0).fit(as_numbers(rows), labels), as_numbers(rows))


@pytest.mark.parametrize("classes", [[0, 0], [1, 1], [1, 2], ["No", "Yes"], [-1, 1]])
def test_other_classes_are_refused(classes):
    rows = generate_rows(200)
    model = RandomForestClassifier(2).fit(as_numbers(rows), np.array(classes)[left(rows)])
    with pytest.raises(ModelClassError, match=r"must tell 0 \(stays\) from 1"):
        build(model)


def test_three_classes_and_two_outputs_are_refused():
    numbers = as_numbers(generate_rows(90))
    for labels in (np.arange(90) % 3, np.stack([np.arange(90) % 2] * 2, axis=1)):
        with pytest.raises(ModelClassError):
            build(RandomForestClassifier(2).fit(numbers, labels))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spelling", [{}, {ours: banks for banks, ours in BANK_SPELLING.items()}])
def test_named_columns_are_found_in_any_order_and_either_spelling(seed, spelling):
    rows = generate_rows(300)
    order = np.random.default_rng(seed).permutation(9)
    names = [spelling.get(FEATURES[index], FEATURES[index]) for index in order]
    frame = pd.DataFrame(as_numbers(rows)[:, order], columns=names)
    model = RandomForestClassifier(8, random_state=seed).fit(frame, left(rows))
    expected = model.predict_proba(frame)[:, 1]
    scores = score_matrix(build(model), as_numbers(rows).astype(np.float32))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-12)


def test_other_columns_are_refused():
    numbers, labels = as_numbers(generate_rows(60)), left(generate_rows(60))
    with pytest.raises(ModelColumnsError, match="fitted on 8 columns"):
        build(RandomForestClassifier(2).fit(numbers[:, :8], labels))
    names = ["EstimatedSalary", *list(BANK_SPELLING)[1:]]
    with pytest.raises(ModelColumnsError, match="EstimatedSalary"):
        build(RandomForestClassifier(2).fit(pd.DataFrame(numbers, columns=names), labels))
    twice = ["CreditScore", "credit_score", *list(BANK_SPELLING)[2:]]
    with pytest.raises(ModelColumnsError):
        build(RandomForestClassifier(2).fit(pd.DataFrame(numbers, columns=twice), labels))


def test_more_nodes_than_the_index_can_hold_are_refused_in_words():
    check_size(MAX_NODES)
    with pytest.raises(ModelClassError, match="at most 268,435,456"):
        check_size(MAX_NODES + 1)


def arrays():
    return {name: array.copy() for name, array in build(fit(100, n_estimators=3)).as_arrays().items()}


def test_stored_arrays_give_the_same_forest():
    forest, matrix = from_arrays(arrays()), as_numbers(generate_rows(50)).astype(np.float32)
    np.testing.assert_array_equal(score_matrix(forest, matrix), score_matrix(build(fit(100, n_estimators=3)), matrix))


def test_the_checksum_of_the_contents_is_that_of_what_is_scored_with():
    stored = arrays()
    contents = from_arrays(stored).contents
    assert build(fit(100, n_estimators=3)).contents == contents
    reordered = dict(reversed([*stored.items(), ("note", np.array(["not scored with"]))]))
    reordered["nodes"] = np.asfortranarray(stored["nodes"])
    assert from_arrays(reordered).contents == contents


@pytest.mark.parametrize("name", ["values", "shares", "roots", "nodes"])
def test_any_other_value_is_another_checksum(name):
    stored = arrays()
    contents = from_arrays(stored).contents
    if name == "roots":
        stored["roots"] = stored["roots"][::-1].copy()
    elif name == "nodes":
        stored["nodes"].view(np.float32)[0, 0] += 1
    else:
        stored[name][-1] = 0.125
    assert from_arrays(stored).contents != contents


def point_outside(stored):
    stored["nodes"][0, 1] |= 0x0FFFFFFF


def point_to_itself_upwards(stored):
    stored["nodes"][int(stored["nodes"][0, 1]) & 0x0FFFFFFF, 1] = 0


def cut_off(stored):
    stored["values"] = stored["values"][:-1]


def share_nodes_between_trees(stored):
    stored["roots"][1] = stored["roots"][0]


def start_outside(stored):
    stored["roots"][1] = -1


def test_a_tenth_column_is_refused():
    stored = arrays()
    stored["nodes"][0, 1] = (10 << 28) | (int(stored["nodes"][0, 1]) & 0x0FFFFFFF)
    with pytest.raises(ModelCorruptError):
        from_arrays(stored)


def nan_threshold(stored):
    stored["nodes"].view(np.float32)[0, 0] = np.nan


def impossible_probability(stored):
    stored["values"][:] = 1.5


def nan_share(stored):
    stored["shares"][1] = np.nan


def other_type(stored):
    stored["nodes"] = stored["nodes"].astype(np.int64)


def no_roots(stored):
    stored["roots"] = stored["roots"][:0]


def missing(stored):
    del stored["shares"]


@pytest.mark.parametrize(
    "damage",
    [point_outside, point_to_itself_upwards, cut_off, share_nodes_between_trees, start_outside, nan_threshold,
     impossible_probability, nan_share, other_type, no_roots, missing],
)  # fmt: skip
def test_damaged_arrays_are_refused_before_any_kernel_sees_them(damage):
    stored = arrays()
    from_arrays(stored)
    damage(stored)
    with pytest.raises(ModelCorruptError):
        from_arrays(stored)
