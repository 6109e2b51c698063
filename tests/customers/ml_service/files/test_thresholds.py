"""Forests fitted on something else than the nine columns are refused by their thresholds; right ones are not."""

import json
import logging
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from customers.ml_service import ModelColumnsError, configure, current_forest, load_forest
from customers.ml_service.files import registry, thresholds
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.files.packaging import verify
from customers.ml_service.forest.compiled import build
from customers.ml_service.forest.encoding import Encodings
from customers.ml_service.schema import BANK_SPELLING, FEATURES
from tests.customers.ml_service.forests import as_numbers, dump, fit, left, release

ROWS = generate_rows(400, seed=4)
NUMBERS, LABELS = as_numbers(ROWS), left(ROWS)
MEASURED = [0, 3, 4, 5, 6]  # what people scale: not codes and flags


@pytest.fixture
def assets(tmp_path, monkeypatch):
    """A folder with a model in service, as in development; what was configured before returns afterwards."""
    monkeypatch.setattr(registry, "_settings", registry._settings)
    monkeypatch.setattr("customers.ml_service.forest.engine._cache_directory", None)
    folder = tmp_path / "assets"
    release(dump(fit(), tmp_path), assets_dir=folder)
    configure(assets_dir=folder, accept_unreleased=True)
    current_forest()
    return folder


def fitted(numbers=NUMBERS, labels=LABELS, *, n_estimators=12, names=None, **settings):
    customers = pd.DataFrame(numbers, columns=names) if names else numbers
    return RandomForestClassifier(n_estimators, random_state=2, **settings).fit(customers, labels)


RIGHT = {
    "one tree": {"n_estimators": 1},
    "one split": {"n_estimators": 1, "max_depth": 1},
    "stumps": {"max_depth": 1},
    "few leaves": {"max_leaf_nodes": 4},
    "300 trees": {"n_estimators": 300, "min_samples_leaf": 40},
    "balanced": {"class_weight": "balanced"},
    "not resampled": {"n_estimators": 2, "bootstrap": False},
}


@pytest.mark.parametrize("shape", RIGHT)
def test_a_right_forest_of_any_size_is_taken_by_a_release_and_as_a_replaced_file(shape, assets, tmp_path):
    model = fitted(**RIGHT[shape])
    path = dump(model, tmp_path)
    expected = model.predict_proba(NUMBERS)[:, 1]
    np.testing.assert_allclose(verify(path).forest.predict_tuples(ROWS), expected, atol=1e-12)
    shutil.copy(path, assets / "model.pkl")
    np.testing.assert_allclose(current_forest().predict_tuples(ROWS), expected, atol=1e-12)


@pytest.mark.parametrize("index", range(9))
def test_a_forest_of_a_single_column_is_taken(index, tmp_path):
    numbers = np.zeros_like(NUMBERS)
    numbers[:, index] = NUMBERS[:, index]
    labels = NUMBERS[:, index] > np.median(NUMBERS[:, index]) if index < 7 else NUMBERS[:, index]
    assert verify(dump(fitted(numbers, labels.astype(int), max_depth=1), tmp_path)).forest.n_trees == 12


def test_so_is_one_of_customers_between_whom_others_were_made_up(tmp_path):
    """As SMOTE does it: flags and codes that are no whole numbers."""
    pick = np.random.default_rng(1)
    others = NUMBERS[pick.permutation(len(NUMBERS))]
    numbers = NUMBERS + (others - NUMBERS) * pick.random((len(NUMBERS), 1))
    verify(dump(fitted(numbers), tmp_path))


def test_and_one_with_gaps_filled_by_minus_one(tmp_path, caplog):
    numbers = NUMBERS.copy()
    numbers[::5, 1:] = -1
    path = dump(fitted(numbers), tmp_path)
    [line] = [line for line in verify(path).findings() if line.startswith("thresholds")]
    assert "look at geography:" in line
    assert "is_active_member:" in line


def of(change, columns=range(9)):
    """Customers of whom some columns were changed."""
    numbers = NUMBERS.copy()
    numbers[:, list(columns)] = change(NUMBERS[:, list(columns)])
    return numbers


GERMAN, SPANISH = (NUMBERS[:, 1] == code for code in (1, 2))
WRONG = {
    "all scaled": (StandardScaler().fit_transform(NUMBERS), "Scaled values, most likely"),
    "measures scaled": (of(StandardScaler().fit_transform, MEASURED), "Scaled values, most likely"),
    "from 0 to 1": (of(MinMaxScaler().fit_transform, MEASURED), "Scaled values, most likely"),
    "robustly": (of(RobustScaler().fit_transform, MEASURED), "Scaled values, most likely"),
    "measures first": (NUMBERS[:, [0, 3, 4, 5, 6, 7, 8, 1, 2]], "another order"),
    "the other way round": (NUMBERS[:, ::-1], "another order"),
    "by alphabet": (NUMBERS[:, np.argsort(FEATURES)], "another order"),
    "dummies": (np.column_stack([NUMBERS[:, [0, 3, 4, 5, 6, 7, 8]], GERMAN, SPANISH]), "Dummies"),
    "dummies first": (np.column_stack([GERMAN, SPANISH, NUMBERS[:, [0, 3, 4, 5, 6, 7, 8]]]), "Dummies"),
    "three columns": (np.column_stack([NUMBERS[:, [3, 5, 6]], np.zeros((len(ROWS), 6))]), "another order"),
    "age for tenure": (NUMBERS[:, [0, 1, 2, 4, 3, 5, 6, 7, 8]], "another order"),
    "codes from 1": (of(lambda codes: codes + 1, [1, 2]), "Other label codes"),
    "year of birth": (of(lambda age: 2026 - age, [3]), "other units"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_forest_of_anything_else_is_refused_by_a_release_and_as_a_replaced_file(kind, assets, tmp_path, caplog):
    numbers, cause = WRONG[kind]
    path = dump(fitted(numbers), tmp_path)
    message = f"none of its .*{cause}.* fitted on the nine raw columns `credit_score`"
    with pytest.raises(ModelColumnsError, match=message):
        verify(path)
    caplog.clear()
    shutil.copy(path, assets / "model.pkl")
    with pytest.raises(ModelColumnsError, match=message):
        current_forest()
    assert "label" not in caplog.text, "a refusal comes without a word on label codes"


@pytest.mark.parametrize("kind", ["all scaled", "measures scaled", "from 0 to 1", "codes from 1"])
def test_the_right_names_do_not_help_it(kind, tmp_path):
    with pytest.raises(ModelColumnsError, match="none of its"):
        verify(dump(fitted(WRONG[kind][0], names=list(BANK_SPELLING)), tmp_path))


DOUBTFUL = {
    "tenure for a flag": (NUMBERS[:, [0, 1, 2, 3, 7, 5, 6, 4, 8]], r"has_cr_card: \d+ of its \d+ thresholds \(0.5 to"),
    "country for gender": (NUMBERS[:, [0, 2, 1, 3, 4, 5, 6, 7, 8]], r"gender: \d+ of its \d+ thresholds \(0.5 to"),
    "logarithm": (of(np.log1p, [5]), "balance: none"),
    "hundreds of points": (of(lambda points: points / 100, [0]), "credit_score: none"),
    "share of leavers": (
        of(lambda codes: np.choose(codes.astype(int), [0.16, 0.32, 0.17]), [1]),
        "geography: all .* 0 and 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DOUBTFUL)
def test_what_is_only_likely_to_be_wrong_is_not_released_without_a_reason(kind, tmp_path):
    numbers, message = DOUBTFUL[kind]
    path = dump(fitted(numbers), tmp_path)
    with pytest.raises(ModelColumnsError, match=rf"{message}.*--trust-columns REASON"):
        verify(path)
    package = verify(path, trusted="we know better")
    assert "Reason: we know better" in "\n".join(package.findings())
    package.install(tmp_path / "assets")
    (tmp_path / "assets" / "model.npz").unlink()
    assert load_forest(tmp_path / "assets" / "model.pkl").released


def test_a_copied_file_that_is_only_doubtful_is_used_with_a_warning(tmp_path, caplog):
    numbers, _ = DOUBTFUL["tenure for a flag"]
    with caplog.at_level(logging.WARNING, logger="vigilpay.model"):
        load_forest(dump(fitted(numbers), tmp_path))
    assert "may have been fitted on something else than the nine columns: has_cr_card" in caplog.text


def test_codes_that_the_model_json_tells_are_what_customers_have(tmp_path):
    path = dump(fitted(of(lambda codes: codes + 1, [1, 2])), tmp_path)
    codes = {"geography": {"France": 1, "Germany": 2, "Spain": 3}, "gender": {"Female": 1, "Male": 2}}
    sha256 = verify(path, trusted="to learn its checksum").forest.sha256
    path.with_name("model.json").write_text(json.dumps({"sha256": sha256, "encodings": codes}))
    verify(path)
    assert load_forest(path).encodings.gender == {"Female": 1, "Male": 2}


class TestFindings:
    def lines(self, model, tmp_path):
        return dict(line.split(": ", 1) for line in verify(dump(model, tmp_path)).findings())

    def test_columns_without_names_are_assumed_by_order(self, tmp_path):
        lines = self.lines(fitted(), tmp_path)
        assert lines["columns"].startswith("assumed by order, credit_score, geography, gender, age")
        assert "geography 0.5 to 1.5, gender 0.5, age 20 to 77" in lines["thresholds"]

    def test_named_ones_are_told_by_their_names(self, tmp_path):
        lines = self.lines(fitted(names=list(BANK_SPELLING)), tmp_path)
        assert lines["columns"].startswith("by name, CreditScore, Geography")

    def test_what_is_never_split_at_is_told(self, tmp_path):
        stump = fitted(n_estimators=1, max_depth=1, max_features=None)
        assert "never split at: credit_score, geography, gender, tenure" in self.lines(stump, tmp_path)["thresholds"]


def test_a_forest_that_is_never_split_has_no_columns_to_look_at():
    model = RandomForestClassifier(3, random_state=0).fit(np.ones((40, 9)), [0, 1] * 20)
    assert thresholds.columns(build(model), Encodings()) == []
