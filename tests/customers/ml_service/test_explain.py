import warnings

import numpy as np
import pytest
from hypothesis import given, settings

from customers.ml_service import FEATURES, InputError, engine
from customers.ml_service.compiled import build, score_matrix
from customers.ml_service.explain import Explainer, sum_leaves
from customers.ml_service.golden import generate_rows
from customers.ml_service.paths import build_boxes

from .forests import CUSTOMER, as_numbers, fit, forest_of, shapes


def matrix_of(n_rows, seed=9):
    return matrix_of_rows(generate_rows(n_rows, seed))


def matrix_of_rows(rows):
    return as_numbers(rows).astype(np.float32).reshape(-1, len(FEATURES))


def by_shap(model, matrix):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap's own imports
        import shap

        return shap.TreeExplainer(model).shap_values(matrix, check_additivity=False)[:, :, 1]


def all_ways(forest, matrix):
    """The numpy reference, the kernel for single rows and the one for blocks of rows."""
    assert engine.warm_kernels()
    explainer = Explainer(forest)
    single = np.concatenate([explainer.contributions(row[None, :]) for row in matrix])
    return sum_leaves(build_boxes(forest), matrix) / forest.n_trees, single, explainer.contributions(matrix)


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


def test_shapley_values_by_their_definition_over_all_coalitions():
    """Independent of shap: the weighted marginal contributions over all 512 sets of known fields."""
    model, row = fit(60, n_estimators=2, max_depth=4), matrix_of(1)
    games = [value_of(model, row[0], known) for known in range(512)]
    orders = [np.prod(np.arange(1, k + 1, dtype=float)) for k in range(10)]
    expected = np.zeros(9)
    for known in range(512):
        size = known.bit_count()
        for field in range(9):
            if not known >> field & 1:
                weight = orders[size] * orders[8 - size] / orders[9]
                expected[field] += weight * (games[known | 1 << field] - games[known])
    for contributions in all_ways(build(model), row):
        np.testing.assert_allclose(contributions[0], expected, rtol=0, atol=1e-7)
    assert Explainer(build(model)).base_value == pytest.approx(games[0], abs=1e-12)


def value_of(model, row, known):
    """The mean score when only some fields are known; the others follow the training weights."""

    def below(tree, node):
        left, right = tree.children_left[node], tree.children_right[node]
        if left < 0:
            return tree.value[node, 0, 1]
        if known >> tree.feature[node] & 1:
            return below(tree, left if row[tree.feature[node]] <= tree.threshold[node] else right)
        weights = tree.weighted_n_node_samples
        return (weights[left] * below(tree, left) + weights[right] * below(tree, right)) / weights[node]

    return np.mean([below(estimator.tree_, 0) for estimator in model.estimators_])


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
    for index, explanation in enumerate(forest.explain_tuples(rows)):
        assert explained.scores[index] == explanation.score
        assert explained.contributions[index].tolist() == list(explanation.contributions.values())
        assert forest.base_value == explanation.base_value


def test_a_bad_row_of_many_is_named():
    with pytest.raises(InputError, match="row 1: age is 12"):
        forest_object().explain_many([CUSTOMER, {**CUSTOMER, "age": 12}])
