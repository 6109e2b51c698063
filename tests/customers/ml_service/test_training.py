import json
from pathlib import Path

import numpy as np
import pytest

from customers.ml_service import FEATURES, GEOGRAPHIES, load_forest, training
from customers.ml_service.training import (
    TrainingData,
    TrainingDataError,
    cross_validate,
    learn_encodings,
    read_csv,
    recall_at_tenth,
    save,
    train,
)

from .forests import write_csv

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("csv") / "churn.csv")


@pytest.fixture(scope="module")
def trained(table):
    return train(table, seed=4, trees=12)


def test_the_same_seed_gives_the_same_file_and_another_seed_another(table, trained):
    assert train(table, seed=4, trees=12).data == trained.data
    assert train(table, seed=5, trees=12).data != trained.data


def test_a_trained_forest_is_released_with_its_figures(trained, tmp_path):
    metadata = save(trained, tmp_path)
    forest = load_forest(tmp_path / "model.pkl")
    assert forest.released
    assert forest.n_trees == 12
    assert metadata["training"]["rows"] == 300
    assert metadata["metrics"]["roc_auc"]["mean"] > 0.75
    assert set(metadata["metrics"]) == {"method", "roc_auc", "pr_auc", "brier", "log_loss", "recall_at_10_percent"}
    assert forest.encodings == trained.encodings
    assert (tmp_path / "model.pkl").stat().st_size < 1_000_000


def test_countries_are_coded_by_churn_rate(table):
    data = read_csv(table)
    codes = learn_encodings(data).geography
    country = np.array([row[1] for row in data.rows])
    rates = {name: data.labels[country == name].mean() for name in GEOGRAPHIES}
    assert sorted(codes, key=codes.get) == sorted(rates, key=rates.get)


def test_codes_are_learned_inside_each_fold(table, monkeypatch):
    data, sizes = read_csv(table), []
    monkeypatch.setattr(
        training, "learn_encodings", lambda part: sizes.append(len(part.labels)) or learn_encodings(part)
    )
    cross_validate(data, {}, seed=1, trees=2, repeats=1)
    assert sizes == [240] * 5


def test_search_keeps_the_best_of_its_candidates(table, monkeypatch):
    monkeypatch.setattr(training, "_CANDIDATES", ({"max_leaf_nodes": 2, "max_features": 1}, {"max_leaf_nodes": 20}))
    assert train(table, seed=4, trees=4, search=True).metadata["training"]["settings"]["max_leaf_nodes"] == 20


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bank_spelling", [True, False])
def test_both_spellings_and_usual_delimiters(tmp_path, delimiter, bank_spelling, table):
    path = write_csv(tmp_path / "other.csv", delimiter=delimiter, bank_spelling=bank_spelling)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    data, expected = read_csv(path), read_csv(table)
    assert data.rows == expected.rows
    assert (data.labels == expected.labels).all()


HEADER = "CreditScore,Geography,Gender,Age,Tenure,Balance,NumOfProducts,HasCrCard,IsActiveMember,Exited\n"
GOOD = "600,France,Male,40,3,1.5,1,1,0,1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "the header lacks credit_score"), (HEADER.replace("Age,", ""), "lacks age"),
     (HEADER.replace(",Exited", ""), "lacks Exited"), (HEADER + GOOD.replace("40", "x"), "line 2: age is 'x'"),
     (HEADER + GOOD + GOOD.replace("40", "12"), "line 3: age is 12"),
     (HEADER + GOOD.replace("France", "Senegal"), "line 2: geography is 'Senegal'"),
     (HEADER + GOOD.replace(",1\n", ",maybe\n"), "line 2: the label is 'maybe'"),
     (HEADER + GOOD[:20], "line 2 has"), (HEADER + GOOD, "at least 5 customers")],
)  # fmt: skip
def test_what_cannot_be_trained_on_is_told_by_line_and_column(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(TrainingDataError, match=message):
        read_csv(path)


def test_unreadable_files(tmp_path):
    with pytest.raises(TrainingDataError, match="cannot be read"):
        read_csv(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\xe9")
    with pytest.raises(TrainingDataError, match="not UTF-8"):
        read_csv(tmp_path / "latin.csv")


def test_recall_among_the_riskiest_tenth():
    labels = np.array([1, 0, 1, 0] + [0] * 16)
    assert recall_at_tenth(labels, np.linspace(1, 0, 20)) == 0.5
    assert recall_at_tenth(labels, np.linspace(0, 1, 20)) == 0.0


def test_a_country_without_customers_still_has_a_code():
    rows = [(600, "France", "Male", 40, 3, 0.0, 1, 1, 0)] * 4
    assert set(learn_encodings(TrainingData(rows, np.array([0, 1, 0, 1]))).geography) == set(GEOGRAPHIES)


def test_the_shipped_model_reaches_its_goal_and_is_small():
    assets = ROOT / "ml_assets"
    forest = load_forest(assets / "model.pkl")
    assert forest.released
    assert forest.metadata["metrics"]["roc_auc"]["mean"] >= 0.860
    assert forest.metadata["features"] == list(FEATURES)
    assert sum(path.stat().st_size for path in assets.iterdir()) < 5_000_000


def test_the_shipped_metadata_holds_generated_rows_only():
    from customers.ml_service.golden import generate_rows

    metadata = json.loads((ROOT / "ml_assets" / "model.json").read_text())
    assert metadata["golden"]["rows"] == [list(row) for row in generate_rows()]
