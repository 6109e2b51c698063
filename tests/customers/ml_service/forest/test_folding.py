"""Scalers before a forest, folded into it: the same answer as the Pipeline's own, to the last bit of a balance."""

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from customers.ml_service import ModelCorruptError, load_forest
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.files.original import Original
from customers.ml_service.files.packaging import verify
from customers.ml_service.forest.compiled import build, from_arrays, score_matrix
from customers.ml_service.forest.encoding import Encodings
from customers.ml_service.forest.parts import parts_of
from customers.ml_service.forest.rounding import Rounding, as_ordered, from_ordered
from tests.customers.ml_service.forests import (
    as_mapping,
    as_numbers,
    dump,
    fit_pipeline,
    left,
    on_the_edges,
    release,
    unfitted,
)

PIPELINES = {
    "standard": lambda: make_pipeline(StandardScaler(), unfitted()),
    "not centred": lambda: make_pipeline(StandardScaler(with_mean=False), unfitted()),
    "not scaled": lambda: make_pipeline(StandardScaler(with_std=False), unfitted()),
    "from 0 to 1": lambda: make_pipeline(MinMaxScaler(), unfitted()),
    "clipped": lambda: make_pipeline(MinMaxScaler((-3, 3), clip=True), unfitted()),
    "by the largest": lambda: make_pipeline(MaxAbsScaler(), unfitted()),
    "robust": lambda: make_pipeline(RobustScaler(quantile_range=(10, 90)), unfitted()),
    "gaps filled": lambda: make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), unfitted()),
    "one after the other": lambda: make_pipeline(StandardScaler(), MinMaxScaler(), unfitted()),
    "nothing to do": lambda: Pipeline([("a", "passthrough"), ("b", None), ("c", unfitted())]),
    "nested": lambda: make_pipeline(make_pipeline(StandardScaler()), make_pipeline(RobustScaler(), unfitted())),
    "asked for data frames": lambda: make_pipeline(StandardScaler(), unfitted()).set_output(transform="pandas"),
    "searched": lambda: GridSearchCV(make_pipeline(StandardScaler(), unfitted()), {}, cv=2),
    "forest searched alone": lambda: RandomizedSearchCV(unfitted(), {"max_depth": [3]}, n_iter=1, cv=2),
    "search in a pipeline": lambda: make_pipeline(MinMaxScaler(), GridSearchCV(unfitted(), {}, cv=2)),
}


def around_the_edges(model, n_nodes=200):
    """Raw rows that come to the nodes of the forest with its thresholds, scaled back, and their nearest neighbours."""
    steps, forest = parts_of(model)
    rows = as_numbers(generate_rows(100, seed=6))
    rows[:, 5] = np.round(rows[:, 5] * 20) / 20 + 100_000.01  # where float32 keeps no cents
    scaled = rows
    for step in steps:
        scaled = step.transform(scaled)
    edges = on_the_edges(forest, scaled, n_nodes)
    for step in reversed(steps):
        edges = edges if isinstance(step, SimpleImputer) else step.inverse_transform(edges)
    ordered = as_ordered(np.ascontiguousarray(edges))
    return np.concatenate([from_ordered(ordered + ulps) for ulps in range(-3, 4)] + [edges.round(2), rows])


def ours(model, numbers):
    flat = build(model)
    return score_matrix(flat, Encodings(roundings=flat.roundings).in_float32(numbers))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("kind", PIPELINES)
def test_next_to_every_threshold_the_score_is_the_pipelines_own(kind):
    model = fit_pipeline(PIPELINES[kind]())
    numbers = around_the_edges(model)
    np.testing.assert_allclose(ours(model, numbers), model.predict_proba(numbers)[:, 1], rtol=0, atol=1e-12)


def test_those_rows_tell_a_plain_cast_from_it(monkeypatch):
    model = fit_pipeline(PIPELINES["standard"]())
    numbers = around_the_edges(model)
    monkeypatch.setattr(Encodings, "in_float32", lambda self, rows: np.array(rows, dtype=np.float32))
    with pytest.raises(AssertionError, match="Mismatched elements"):
        np.testing.assert_allclose(ours(model, numbers), model.predict_proba(numbers)[:, 1], rtol=0, atol=1e-12)


def test_cents_that_float32_cannot_tell_apart_stay_apart():
    """Thresholds closer together than float32 is fine: 0.0156 at 150,000."""
    raw = np.array([150_000.001, 150_000.004, 150_000.005, 150_000.02])
    rounding = Rounding.from_thresholds(raw)
    assert (np.diff(rounding.stand_ins) > 0).all()
    values = np.concatenate([raw, np.nextafter(raw, np.inf), np.nextafter(raw, 0), [0.0, 150_000.01, 1e13]])
    rounded = rounding.round(values)
    for threshold, stand_in in zip(raw, rounding.stand_ins, strict=True):
        np.testing.assert_array_equal(rounded <= stand_in, values <= threshold)
    np.testing.assert_allclose(rounded, values, rtol=1e-6, err_msg="else reasons would tell other balances")


def test_a_released_pipeline_scores_explains_and_is_audited_as_itself(tmp_path):
    model = fit_pipeline(PIPELINES["standard"]())
    source = dump(model, tmp_path)
    metadata = release(source, assets_dir=tmp_path / "assets")
    assert (tmp_path / "assets" / "model.pkl").read_bytes() == source.read_bytes()
    forest = load_forest(tmp_path / "assets" / "model.pkl")
    assert forest.flat.roundings
    assert metadata["n_trees"] == 10
    rows = [(*row[:5], 100_000.01 + row[5], *row[6:]) for row in generate_rows(300, seed=9)]
    expected = Original(model, Encodings()).predict_tuples(rows)
    np.testing.assert_array_equal(expected, model.predict_proba(as_numbers(rows))[:, 1])
    np.testing.assert_allclose(forest.predict_tuples(rows), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose([forest.predict_one(as_mapping(row)) for row in rows[:20]], expected[:20], atol=1e-12)
    explained = forest.explain_matrix(rows)
    np.testing.assert_allclose(explained.scores, expected, rtol=0, atol=1e-12)
    sums = forest.base_value + explained.contributions.sum(axis=1)
    np.testing.assert_allclose(sums, expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(explained.matrix, as_numbers(rows), rtol=1e-6, err_msg="reasons tell raw values")


def test_what_if_and_suggestions_ask_the_pipeline(tmp_path):
    from customers.ml_service.reasons.suggestions import best_changes
    from customers.ml_service.reasons.what_if import compare

    model = fit_pipeline(PIPELINES["standard"]())
    forest = load_forest(dump(model, tmp_path))
    customer = as_mapping(next(row for row in generate_rows(50) if row[3] > 50 and not row[8]))
    for changes in [{"balance": 150_000.01}, *(it.changes for it in best_changes(forest, customer))]:
        after = Original(model, Encodings()).predict_tuples([tuple({**customer, **changes}.values())])[0]
        assert compare(forest, customer, changes).score_after == pytest.approx(after, abs=1e-12)
    for suggestion in best_changes(forest, customer):
        after = Original(model, Encodings()).predict_tuples([tuple({**customer, **suggestion.changes}.values())])[0]
        assert suggestion.score_after == pytest.approx(after, abs=1e-12)


def test_its_columns_are_found_by_the_names_that_the_first_step_saw(tmp_path):
    rows = generate_rows(300)
    names = [
        "Credit Score",
        "country",
        "Sex",
        "age",
        "TENURE",
        "balance",
        "products_number",
        "credit_card",
        "active_member",
    ]
    frame = pd.DataFrame(as_numbers(rows), columns=names).iloc[:, ::-1]
    model = make_pipeline(StandardScaler(), unfitted()).fit(frame, left(rows))
    package = verify(dump(model, tmp_path))
    np.testing.assert_allclose(package.forest.predict_tuples(rows), model.predict_proba(frame)[:, 1], atol=1e-12)
    found = "\n".join(package.findings())
    assert "in a Pipeline; StandardScaler before it folded into its thresholds" in found
    assert "columns: by name, active_member, credit_card, products_number" in found


@pytest.mark.parametrize("damage", ["cut_raw", "cut_stand_ins", "cut_columns"])
def test_damaged_roundings_are_refused(damage):
    arrays = dict(build(fit_pipeline(PIPELINES["standard"]())).as_arrays())
    from_arrays(arrays)
    with pytest.raises(ModelCorruptError):
        from_arrays(arrays | {damage: arrays[damage][::-1].copy()})
    with pytest.raises(ModelCorruptError):
        from_arrays(
            {name: array for name, array in arrays.items() if name != damage or name == "cut_columns"}
            | {"cut_columns": arrays["cut_columns"] + 9}
        )
