"""What model files hold that is no forest, or more than one: used if it can be, else named with the remedy."""

import pickle
import sys
from functools import partial
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, OneHotEncoder, PowerTransformer, StandardScaler

from customers.ml_service import ModelClassError, ModelColumnsError, ModelCorruptError, ModelVersionError, load_forest
from customers.ml_service.files.assets import open_forest
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.files.packaging import verify
from customers.ml_service.schema import BANK_SPELLING
from tests.customers.ml_service.forests import as_numbers, dump, fit, fit_pipeline, left, unfitted

SCALED = "can fold only StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler of all columns"


class OfTheirOwn(StandardScaler):
    """Named, and doing, as its author likes."""


OTHERS = {
    "boosting": (lambda: HistGradientBoostingClassifier(max_iter=2), "of the class HistGradientBoostingClassifier"),
    "bayes": (lambda: GaussianNB(), r"this is a model of the class GaussianNB \(sklearn\)"),
    "several": (lambda: VotingClassifier([("a", unfitted(2))]), "this is a model of the class VotingClassifier"),
    "calibrated": (lambda: CalibratedClassifierCV(unfitted(2), cv=2), "this is a model of the class Calibrated"),
    "a pipeline without": (lambda: make_pipeline(StandardScaler(), LogisticRegression()), "LogisticRegression"),
    "words": (
        lambda: make_pipeline(
            ColumnTransformer([("words", OneHotEncoder(), [1, 2])], remainder=StandardScaler()), unfitted(2)
        ),
        f"step 'columntransformer' is of the class ColumnTransformer; VigilPay {SCALED}",
    ),
    "mixed": (lambda: make_pipeline(StandardScaler(), PCA(9), unfitted(2)), f"step 'pca' .*{SCALED}"),
    "by customer": (lambda: make_pipeline(Normalizer(), unfitted(2)), SCALED),
    "bent": (lambda: make_pipeline(PowerTransformer(), unfitted(2)), SCALED),
    "a function": (lambda: make_pipeline(FunctionTransformer(np.log1p), unfitted(2)), SCALED),
    "zeros are gaps": (lambda: make_pipeline(SimpleImputer(missing_values=0), unfitted(2)), SCALED),
    "gaps told": (lambda: make_pipeline(SimpleImputer(add_indicator=True), unfitted(2)), SCALED),
    "a scaler of their own": (lambda: make_pipeline(OfTheirOwn(), unfitted(2)), "'oftheirown' is of the class"),
    "no best": (lambda: GridSearchCV(unfitted(2), {}, cv=2, refit=False), "without a best_estimator_: .*refit"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_other_models_are_named_with_what_would_do(kind, tmp_path):
    make, message = OTHERS[kind]
    with pytest.raises(ModelClassError, match=f"(?s){message}.*RandomForestClassifier"):
        load_forest(dump(fit_pipeline(make(), 120), tmp_path))


def test_a_refused_pipeline_says_that_its_last_step_alone_is_wrong(tmp_path):
    with pytest.raises(ModelClassError, match=r"last step alone would be wrong.* nine raw columns `credit_score`"):
        load_forest(dump(fit_pipeline(OTHERS["words"][0](), 120), tmp_path))


def test_the_last_step_is_refused_if_it_comes_alone_all_the_same(tmp_path):
    model = fit_pipeline(make_pipeline(StandardScaler(), unfitted()))
    with pytest.raises(ModelColumnsError, match="Scaled values, most likely"):
        load_forest(dump(model[-1], tmp_path))


UNFITTED = {
    "forest": lambda: RandomForestClassifier(),
    "pipeline": lambda: make_pipeline(StandardScaler(), unfitted()),
    "search": lambda: GridSearchCV(unfitted(), {}),
    "scaler": lambda: Pipeline([("scale", StandardScaler()), ("forest", fit(60, n_estimators=2))]),
}


@pytest.mark.parametrize("kind", UNFITTED)
def test_what_is_not_fitted_is_told_so(kind, tmp_path):
    with pytest.raises(ModelClassError, match="not fitted"):
        load_forest(dump(UNFITTED[kind](), tmp_path))


@pytest.mark.parametrize(
    ("wrap", "place"),
    [(lambda model: {"columns": [], "model": model}, r"\['model'\]"), (lambda model: ("v1", model), r"\[1\]")],
)
def test_a_model_among_other_things_is_pointed_at(wrap, place, tmp_path):
    with pytest.raises(ModelClassError, match=f"not a model; a model lies in it at {place}: dump that alone"):
        load_forest(dump(wrap(fit(60, n_estimators=2)), tmp_path))


class TestColumns:
    def refused(self, names, tmp_path, message):
        numbers = np.random.default_rng(1).normal(size=(60, len(names)))
        model = unfitted(2).fit(pd.DataFrame(numbers, columns=names), left(generate_rows(60)))
        with pytest.raises(
            ModelColumnsError, match=f"{message}.*fit it on the nine raw columns `credit_score`, `geography`"
        ):
            load_forest(dump(model, tmp_path))

    def test_others_are_named(self, tmp_path):
        names = [*BANK_SPELLING, "EstimatedSalary", "RowNumber"]
        self.refused(names, tmp_path, "on 11 columns; not among the nine: EstimatedSalary, RowNumber;")

    def test_dummies_are_called_so(self, tmp_path):
        names = [*list(BANK_SPELLING)[:1], "Geography_Germany", "x_Spain", "Gender_Male", *list(BANK_SPELLING)[3:]]
        message = "on 10 columns; dummies, where a country or a gender is one number: "
        message += "Geography_Germany, x_Spain, Gender_Male;"
        self.refused(names, tmp_path, f"{message} missing: geography, gender;")

    def test_missing_ones_too(self, tmp_path):
        self.refused(
            ["Age", "Balance", "products"], tmp_path, "on 3 columns; missing: credit_score, geography, gender, tenure"
        )

    def test_and_one_that_is_there_twice(self, tmp_path):
        names = ["country", *list(BANK_SPELLING)[1:]]
        self.refused(names, tmp_path, "columns are country, Geography.*; there twice: geography; missing: credit_score")

    def test_without_names_their_number_is_told(self, tmp_path):
        model = unfitted(2).fit(as_numbers(generate_rows(60))[:, :3], left(generate_rows(60)))
        with pytest.raises(ModelColumnsError, match="fitted on 3 columns; fit it on the nine raw columns"):
            load_forest(dump(model, tmp_path))


FILES = {
    b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 1234\n": "a Git LFS pointer.*git lfs pull",
    b"\n<!DOCTYPE html><html>": "a web page",
    b"PK\x03\x04" + b"\0" * 30: "a zip archive",
    b"\x89HDF\r\n\x1a\n": "HDF5.* VigilPay scores RandomForestClassifier",
    b'{"learner": {}}': "JSON.* VigilPay scores RandomForestClassifier",
    b"CBM1" + b"\0" * 30: "a model of CatBoost; VigilPay scores RandomForestClassifier",
    b"tree\nversion=v4\nnum_class=1\n": "a model of LightGBM; VigilPay scores RandomForestClassifier",
}


@pytest.mark.parametrize("content", FILES)
def test_a_file_of_another_kind_is_called_what_it_is(content, tmp_path, caplog):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    for use in (load_forest, partial(open_forest, accept_unreleased=False), partial(verify, expected_sha256="abc")):
        with pytest.raises(ModelCorruptError, match=rf"the model file .*model\.pkl is {FILES[content]}"):
            use(path)
    assert caplog.text == ""


@pytest.fixture
def foreign(monkeypatch):
    """A library that was there when the model was dumped."""

    def dumped(name, library, path):
        module = ModuleType(library)
        kind = type(name, (), {"__module__": library})
        setattr(module, name, kind)
        monkeypatch.setitem(sys.modules, library, module)
        path.write_bytes(pickle.dumps({"inside": kind()}))
        monkeypatch.delitem(sys.modules, library)
        return path

    return dumped


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost", "imblearn"])
def test_a_model_of_a_library_that_is_not_installed_is_called_so(library, foreign, tmp_path, caplog):
    path = foreign("Classifier", library, tmp_path / "model.pkl")
    with pytest.raises(
        ModelClassError, match=f"this is a model of {library}.*; VigilPay scores RandomForestClassifier"
    ):
        load_forest(path)
    assert caplog.text == ""


def test_one_of_an_unknown_library_is_a_matter_of_versions(foreign, tmp_path):
    with pytest.raises(ModelVersionError, match="no_such_library"):
        load_forest(foreign("Thing", "no_such_library", tmp_path / "model.pkl"))


def test_one_with_a_class_of_its_notebook_is_called_so(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"c__main__\nMyTransformer\n.")
    with pytest.raises(ModelClassError, match=r"only the notebook or script .*MyTransformer"):
        load_forest(path)
