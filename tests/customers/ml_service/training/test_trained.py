import json
from dataclasses import replace
from pathlib import Path

import joblib
import pytest

from customers.ml_service import FEATURES, load_forest
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.forest.encoding import encode_rows
from customers.ml_service.reference import Reference
from customers.ml_service.training import TrainingData, TrainingDataError, save, train
from customers.ml_service.training import search as searching
from customers.ml_service.training.fitting import BASELINES, SETTINGS
from customers.ml_service.training.quality import FIGURES
from tests.customers.ml_service.forests import as_mapping

from .labelled import labelled

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def trained():
    return train(labelled(), seed=4, trees=12)


def test_the_same_seed_gives_the_same_model_and_figures_and_another_seed_another(trained):
    again, other = train(labelled(), seed=4, trees=12), train(labelled(), seed=5, trees=12)
    assert again.pickled == trained.pickled
    assert again.metadata["metrics"] == trained.metadata["metrics"]
    assert (again.out_of_fold == trained.out_of_fold).all()
    assert other.pickled != trained.pickled


def test_a_trained_forest_is_released_with_its_figures(trained, tmp_path):
    metadata = save(trained, tmp_path)
    forest = load_forest(tmp_path / "model.pkl")
    assert forest.released
    assert forest.n_trees == 12
    assert forest.encodings == trained.encodings
    assert metadata["training"]["rows"] == 300
    assert metadata["training"]["settings"] == {**SETTINGS, "n_estimators": 12}
    assert metadata["metrics"]["roc_auc"]["mean"] > 0.75
    assert metadata["diagnostics"]["calibration"]
    assert set(metadata["diagnostics"]["without"]["fields"]) == set(FEATURES)
    assert metadata["diagnostics"]["thresholds"] == [0.25, 0.5, 0.75]
    assert Reference.from_metadata(metadata["reference"]).rows == 300
    assert set(metadata["metrics"]) == {"method", "calibration", *FIGURES}
    assert (tmp_path / "model.pkl").stat().st_size < 1_000_000


def test_a_bank_s_own_words_are_learned_and_a_rare_one_is_scored_too(tmp_path):
    """Some folds have no customer of the rare word to learn from."""
    data = labelled()
    words = {"France": "Italy", "Germany": "Senegal", "Spain": "India", "Female": "F", "Male": "M"}
    rows = [tuple(words.get(value, value) for value in row) for row in data.rows]
    rows[:3] = [(*row[:1], "Fiji", *row[2:5], -500.0, *row[6:]) for row in rows[:3]]
    trained = train(TrainingData(rows, data.labels), seed=4, trees=5)
    save(trained, tmp_path)
    codes = load_forest(tmp_path / "model.pkl").encodings.geography
    assert codes.keys() == {"Italy", "Senegal", "India", "Fiji"}
    assert len(set(codes.values())) == 3
    assert trained.metadata["diagnostics"]["limits"]["ranges"]["balance"][0] == -1000
    assert 0 < load_forest(tmp_path / "model.pkl").predict_one(as_mapping(rows[0])) < 1


def test_the_forest_is_compared_with_what_it_has_to_beat(trained):
    baselines = trained.metadata["baselines"]
    assert set(baselines) == set(BASELINES)
    assert baselines["constant"]["roc_auc"] == {"mean": 0.5, "std": 0.0}
    logistic = baselines["logistic_regression"]["roc_auc"]["mean"]
    assert 0.5 < logistic < 1


def test_the_data_and_scores_of_unseen_customers_stay_with_it(trained):
    assert trained.data.labels.shape == trained.out_of_fold.shape == (300,)
    assert trained.metadata["metrics"]["calibration"]["mean_score"] == pytest.approx(trained.out_of_fold.mean())


def test_no_row_of_the_data_is_kept_in_the_metadata():
    trained = train(labelled(Surname=["Maronard"] * 300), trees=2)
    assert "Maronard" not in json.dumps(trained.metadata)


def test_the_score_is_the_forests_own_probability(trained, tmp_path):
    save(trained, tmp_path)
    forest = load_forest(tmp_path / "model.pkl")
    row = trained.data.rows[0]
    original = joblib.load(tmp_path / "model.pkl").predict_proba(encode_rows([row], trained.encodings))[0, 1]
    assert forest.predict_one(as_mapping(row)) == pytest.approx(original, abs=1e-12)


def test_what_was_trained_here_needs_no_reason_to_trust_its_columns(tmp_path):
    """Balances of a few units alone look like logarithms in a file that comes from elsewhere."""
    data = labelled()
    rows = [(*row[:5], float(row[5] > 0) * (index % 9), *row[6:]) for index, row in enumerate(data.rows)]
    save(train(replace(data, rows=rows), trees=5), tmp_path)
    (tmp_path / "model.npz").unlink()
    assert load_forest(tmp_path / "model.pkl").released


class TestSearch:
    @pytest.fixture(autouse=True)
    def small_grid(self, monkeypatch):
        monkeypatch.setattr(searching, "GRID", {"max_leaf_nodes": (2, 20), "max_features": (4,)})

    def test_the_forest_is_fitted_by_what_was_found_and_both_are_told(self):
        training = train(labelled(), seed=4, trees=4, search=True).metadata["training"]
        assert training["settings"]["max_leaf_nodes"] == 20
        assert training["settings"] == training["search"]["chosen"]["settings"]
        assert training["search"]["tried"] == 2

    def test_the_printed_figures_are_not_those_that_chose(self):
        found = train(labelled(), seed=4, trees=4, search=True).metadata
        judged = train(labelled(), seed=4, trees=4).metadata
        assert found["metrics"]["roc_auc"]["mean"] != found["training"]["search"]["chosen"]["roc_auc"]
        # The same folds judge whether or not something was searched for before.
        assert found["baselines"] == judged["baselines"]


def test_a_feature_that_is_the_label_is_refused():
    data = labelled()
    rows = [(*row[:8], int(label)) for row, label in zip(data.rows, data.labels, strict=True)]
    with pytest.raises(TrainingDataError, match="is_active_member is the label itself"):
        train(type(data)(rows, data.labels))


def test_the_shipped_model_reaches_its_goal_and_is_small():
    assets = ROOT / "ml_assets"
    forest = load_forest(assets / "model.pkl")
    assert forest.released
    assert forest.metadata["metrics"]["roc_auc"]["mean"] >= 0.860
    assert forest.metadata["features"] == list(FEATURES)
    assert sum(path.stat().st_size for path in assets.iterdir()) < 5_000_000


def test_the_shipped_metadata_holds_generated_rows_only():
    metadata = json.loads((ROOT / "ml_assets" / "model.json").read_text())
    assert metadata["golden"]["rows"] == [list(row) for row in generate_rows()]
