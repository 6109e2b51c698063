"""What is measured: a model as the product reads it and as scikit-learn does, and generated customers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from customers.ml_service import FEATURES, Forest, configure, current_forest, warm_kernels
from customers.ml_service.files.assets import DEFAULT_ASSETS_DIR, MODEL_FILE
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.files.pickles import load_estimator
from customers.ml_service.forest.compiled import churn_column_of
from customers.ml_service.forest.encoding import Row, encode_rows
from tests.customers.ml_service.forests import dump, fit

MODEL_PATH = DEFAULT_ASSETS_DIR / MODEL_FILE
# The forest that the goals were set for; one of a tenth of its nodes is faster by scikit-learn and shap as well.
REFERENCE: Mapping[str, Any] = {"n_estimators": 200, "min_samples_leaf": 8}


@dataclass(frozen=True)
class Subject:
    forest: Forest
    model: RandomForestClassifier
    rows: list[Row]

    @cached_property
    def numbers(self) -> NDArray[np.float32]:
        """The rows as scikit-learn takes them at the least cost: encoded beforehand, in its own type."""
        return encode_rows(self.rows, self.forest.encodings)

    @cached_property
    def churn_column(self) -> int:
        return churn_column_of(self.model)

    def by_scikit_learn(self, numbers: NDArray[Any]) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = self.model.predict_proba(numbers)[:, self.churn_column]
        return scores

    def customers(self, number: int) -> list[Mapping[str, Any]]:
        """As callers of `predict_churn` give them."""
        return [dict(zip(FEATURES, row, strict=True)) for row in self.rows[:number]]

    def one_by_one(self, number: int) -> list[NDArray[np.float32]]:
        """The same customers for scikit-learn and shap: matrices of one row."""
        return [self.numbers[index : index + 1] for index in range(number)]


def shipped(n_rows: int) -> Subject:
    """The model that VigilPay ships."""
    return in_place(DEFAULT_ASSETS_DIR, n_rows)


def reference(n_rows: int, fitted_rows: int, folder: Path) -> Subject:
    """A forest as large as the goals were set for, fitted on generated customers and put into the folder."""
    dump(fit(fitted_rows, **REFERENCE), folder)
    return in_place(folder, n_rows)


def in_place(folder: Path, n_rows: int) -> Subject:
    """Everything loaded and compiled, so that the first round is like the others."""
    configure(assets_dir=folder, accept_unreleased=True)
    if not warm_kernels():
        raise SystemExit("the compiled kernels cannot be loaded: set NUMBA_CACHE_DIR to a writable directory")
    model = load_estimator((folder / MODEL_FILE).read_bytes())
    return Subject(current_forest(), model, generate_rows(n_rows))
