"""What is measured: the shipped model as the product reads it and as scikit-learn does, and generated customers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from customers.ml_service import FEATURES, Forest, current_forest, warm_kernels
from customers.ml_service.assets import DEFAULT_ASSETS_DIR, MODEL_FILE
from customers.ml_service.compiled import churn_column_of
from customers.ml_service.encoding import Row, encode_rows
from customers.ml_service.golden import generate_rows
from customers.ml_service.pickles import load_estimator

MODEL_PATH = DEFAULT_ASSETS_DIR / MODEL_FILE


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
    """Everything loaded and compiled, so that the first round is like the others."""
    if not warm_kernels():
        raise SystemExit("the compiled kernels cannot be loaded: set NUMBA_CACHE_DIR to a writable directory")
    model = load_estimator(MODEL_PATH.read_bytes())
    return Subject(current_forest(), model, generate_rows(n_rows))
