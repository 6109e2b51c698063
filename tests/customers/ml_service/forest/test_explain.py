import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customers.ml_service import FEATURES, InputError, current_forest, explain, explain_many
from customers.ml_service.files.assets import DEFAULT_ASSETS_DIR, MODEL_FILE
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.files.pickles import load_estimator
from customers.ml_service.forest import engine
from customers.ml_service.forest.compiled import build, score_matrix
from customers.ml_service.forest.explain import Explainer, sum_leaves
from customers.ml_service.forest.paths import build_boxes
from tests.customers.ml_service.forests import (
    CUSTOMER,
    as_mapping,
    as_numbers,
    fit,
    forest_of,
    many_deep_trees,
    on_the_edges,
    shapes,
)
from tests.customers.ml_service.shapley import Split, base_value, shapley_values, trees_of
from tests.customers.ml_service.strategies import fitted, flat, matrices, trees


def matrix_of(n_rows, seed=9):
    return matrix_of_rows(generate_rows(n_rows, seed))


def matrix_of_rows(rows):
    return as_numbers(rows).astype(np.float32).reshape(-1, len(FEATURES))


def by_shap(model, matrix):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap's own imports
        shap = pytest.importorskip("shap", reason="shap, the oracle, is not installed: `make setup-dev`")
        return shap.TreeExplainer(model).shap_values(matrix, check_additivity=False)[:, :, 1]


def all_ways(forest, matrix):
    """The numpy reference, the kernel for single rows and the one for blocks of rows."""
    assert engine.warm_kernels()
    explainer = Explainer(forest)
    single = np.concatenate([explainer.contributions(row[None, :]) for row in matrix])
    many = np.resize(matrix, (max(len(matrix), 20), 9))  # again and again, so that they are enough for a block
    block = explainer.contributions(many)[: len(matrix)]
    return sum_leaves(build_boxes(forest), matrix) / forest.n_trees, single, block


def test_float32_is_near_enough_from_the_number_of_trees_that_uses_it():
    model = fit(150, n_estimators=32, max_features=1)
    expected = by_shap(model, matrix_of(300))
    for contributions in all_ways(build(model), matrix_of(300)):
        np.testing.assert_allclose(contributions, expected, rtol=0, atol=1e-7)


@settings(max_examples=12)
@given(shapes)
def test_contributions_equal_those_of_shap_and_add_up(shape):
    model = fit(150, **shape)
    forest, matrix = build(model), matrix_of(140)
    expected = by_shap(model, matrix)
    base_value = Explainer(forest).base_value
    for contributions in all_ways(forest, matrix):
        np.testing.assert_allclose(contributions, expected, rtol=0, atol=1e-7)
        np.testing.assert_allclose(base_value + contributions.sum(axis=1), score_matrix(forest, matrix), atol=1e-7)


def test_the_reference_is_exact_to_rounding():
    model = fit(400, n_estimators=5)
    reference, _, _ = all_ways(build(model), matrix_of(40))
    np.testing.assert_allclose(reference, by_shap(model, matrix_of(40)), rtol=0, atol=1e-13)


def assert_shapley_values(forest, trees, matrix, tolerance):
    """By all ways: what the definition gives, summed over all 512 sets of known fields, independent of shap."""
    expected = np.array([shapley_values(trees, row) for row in matrix])
    base = Explainer(forest).base_value
    assert base == pytest.approx(base_value(trees), abs=1e-12)
    for contributions in all_ways(forest, matrix):
        np.testing.assert_allclose(contributions, expected, rtol=0, atol=tolerance)
        total = base + contributions.sum(axis=1)
        np.testing.assert_allclose(total, score_matrix(forest, matrix), rtol=0, atol=tolerance)


@settings(max_examples=40)
@given(st.lists(trees, min_size=1, max_size=3), matrices)
def test_shapley_values_by_their_definition_of_trees_that_no_training_gives(trees, matrix):
    assert_shapley_values(flat(trees), trees, matrix, tolerance=1e-12)


@pytest.mark.parametrize("n_features", range(1, 10))
def test_shapley_values_by_their_definition_of_a_path_through_so_many_features(n_features):
    """The more, the higher the degree of what is integrated."""
    tree = 1.0
    for feature in range(n_features):
        tree = Split(feature, 0.0, 0.3, tree, 0.0)
    rows = np.sign(np.arange(9) - np.arange(10)[:, None]).astype(np.float32)
    assert_shapley_values(flat([tree]), [tree], rows, tolerance=1e-14)


@settings(max_examples=20)
@given(trees, matrices)
def test_shapley_values_by_their_definition_in_float32(tree, matrix):
    """The same tree 32 times: what rounding does to one is not averaged out."""
    assert_shapley_values(flat([tree] * 32), [tree], matrix, tolerance=1e-6)


@settings(max_examples=25)
@given(fitted)
def test_shapley_values_by_their_definition_whatever_a_forest_was_fitted_on(fitted):
    model, numbers = fitted
    rows = np.concatenate([numbers[:3], on_the_edges(model, numbers, n_nodes=20)[::30]])
    assert_shapley_values(build(model), trees_of(model), rows.astype(np.float32), tolerance=1e-12)


@pytest.mark.parametrize("shape", [{"n_estimators": 1}, {"max_depth": 1}, {"n_estimators": 1, "max_depth": 1}])
def test_shapley_values_by_their_definition_of_one_tree_and_of_stumps(shape):
    model = fit(60, **shape)
    assert_shapley_values(build(model), trees_of(model), matrix_of(3), tolerance=1e-12)


def test_500_deep_trees():
    model, matrix = many_deep_trees(), np.random.default_rng(2).normal(size=(5, 9)).astype(np.float32)
    forest, expected = build(model), by_shap(model, matrix)
    for contributions in all_ways(forest, matrix):
        np.testing.assert_allclose(contributions, expected, rtol=0, atol=1e-7)
        total = Explainer(forest).base_value + contributions.sum(axis=1)
        np.testing.assert_allclose(total, score_matrix(forest, matrix), rtol=0, atol=1e-7)


def test_fields_that_no_tree_tests_contribute_nothing():
    model = fit(100, n_estimators=1, max_depth=1, max_features=9)
    tested = model.estimators_[0].tree_.feature[0]
    for contributions in all_ways(build(model), matrix_of(20)):
        others = np.delete(contributions, tested, axis=1)
        assert (others == 0).all()
        assert (contributions[:, tested] != 0).all()


def test_single_leaves_have_nothing_to_explain():
    forest = build(fit(60, n_estimators=2, max_depth=1, min_samples_leaf=60, bootstrap=False))
    assert Explainer(forest).base_value == pytest.approx(score_matrix(forest, matrix_of(1))[0])
    for contributions in all_ways(forest, matrix_of(20)):
        assert not contributions.any()


def test_weights_of_zero_are_survived():
    model = fit(150, n_estimators=3, class_weight={0: 0.0, 1: 1.0})
    forest, matrix = build(model), matrix_of(20)
    for contributions in all_ways(forest, matrix):
        total = Explainer(forest).base_value + contributions.sum(axis=1)
        np.testing.assert_allclose(total, score_matrix(forest, matrix), atol=1e-7)


@pytest.mark.parametrize("n_rows", [0, 1, 15, 16, 127, 128, 129, 300])
def test_any_number_of_rows(n_rows):
    forest, matrix = build(fit(100, n_estimators=3)), matrix_of(n_rows)
    engine.warm_kernels()
    contributions = Explainer(forest).contributions(matrix)
    assert contributions.shape == (n_rows, 9)
    np.testing.assert_allclose(contributions, sum_leaves(build_boxes(forest), matrix) / 3, rtol=0, atol=1e-7)


def test_the_shipped_model_is_explained_as_by_shap():
    forest, rows = current_forest(), generate_rows(30)
    expected = by_shap(
        load_estimator((DEFAULT_ASSETS_DIR / MODEL_FILE).read_bytes()), forest.explain_matrix(rows).matrix
    )
    explained = explain_many(map(as_mapping, rows))
    for explanation, contributions in zip(explained, expected, strict=True):
        assert list(explanation.contributions.values()) == pytest.approx(contributions.tolist(), abs=1e-7)
    assert explain(as_mapping(rows[0])).contributions == pytest.approx(explained[0].contributions, abs=1e-7)


def test_threads_do_not_disturb_each_other():
    forest, matrices = build(fit(200, n_estimators=32)), [matrix_of(n_rows) for n_rows in (1, 40, 300, 1, 40, 300)]
    explainer = Explainer(forest)
    alone = [explainer.contributions(matrix) for matrix in matrices]
    with ThreadPoolExecutor(len(matrices)) as pool:
        together = [list(pool.map(explainer.contributions, matrices)) for _ in range(20)]
    for contributions in together:
        for ours, expected in zip(contributions, alone, strict=True):
            np.testing.assert_array_equal(ours, expected)


def forest_object():
    return forest_of(fit())


def test_an_explanation_tells_score_base_contributions_and_inputs():
    forest = forest_object()
    explanation = forest.explain_one({**CUSTOMER, "surname": "Generated"})
    assert explanation.score == forest.predict_one(CUSTOMER)
    assert tuple(explanation.contributions) == FEATURES
    assert explanation.base_value + sum(explanation.contributions.values()) == pytest.approx(
        explanation.score, abs=1e-7
    )
    assert explanation.inputs == CUSTOMER


def test_explanations_of_many_equal_those_one_by_one():
    forest = forest_object()
    rows = [dict(zip(FEATURES, row, strict=True)) for row in generate_rows(30)]
    for row, many in zip(rows, forest.explain_many(rows), strict=True):
        alone = forest.explain_one(row)
        assert many.score == alone.score
        assert many.contributions == pytest.approx(alone.contributions, abs=1e-7)
    assert forest.explain_many([]) == []


@pytest.mark.parametrize("n_rows", [0, 1, 40])
def test_the_arrays_to_store_hold_what_the_explanations_say(n_rows):
    forest, rows = forest_object(), generate_rows(n_rows)
    explained = forest.explain_matrix(rows)
    assert explained.scores.shape == (n_rows,)
    assert explained.contributions.shape == explained.matrix.shape == (n_rows, len(FEATURES))
    assert (explained.scores.dtype, explained.contributions.dtype, explained.matrix.dtype) == (float, float, np.float32)
    np.testing.assert_array_equal(explained.matrix, matrix_of_rows(rows))
    for index, explanation in enumerate(forest.explain_many(map(as_mapping, rows))):
        assert explained.scores[index] == explanation.score
        assert explained.contributions[index].tolist() == list(explanation.contributions.values())
        assert forest.base_value == explanation.base_value


def test_a_bad_row_of_many_is_named():
    with pytest.raises(InputError, match="row 1: age is 12"):
        forest_object().explain_many([CUSTOMER, {**CUSTOMER, "age": 12}])
