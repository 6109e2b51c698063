"""What is fitted: the forest, and the two models that it has to beat."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from customers.ml_service.forest.encoding import Matrix
from customers.ml_service.schema import FEATURES, WORD_FIELDS

from .data import Labels

# From an (n, 9) matrix of encoded customers and their labels to something with predict_proba.
Fit = Callable[[Matrix, Labels], Any]

# As good on the public table as forests of four times its size (docs/model.md). No class weights: they ruin the
# probabilities.
SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "n_estimators": 75,
        "criterion": "entropy",
        "max_leaf_nodes": 80,
        "min_samples_leaf": 5,
        "max_features": 5,
        "max_samples": 0.9,
    }
)


def fit_forest(customers: Matrix, labels: Labels, *, settings: Mapping[str, Any], seed: int) -> RandomForestClassifier:
    """Fit a forest. The same customers, settings, seed and scikit-learn give the same trees in the same order."""
    model = RandomForestClassifier(random_state=seed, n_jobs=-1, **settings).fit(customers, labels)
    # -1 would be stored in the pickle, make threads for a single row, and add the trees up in any order.
    model.n_jobs = None
    return model


def fit_constant(customers: Matrix, labels: Labels) -> DummyClassifier:
    """Give all customers the churn rate."""
    return DummyClassifier(strategy="prior").fit(customers, labels)


def fit_logistic(customers: Matrix, labels: Labels) -> Any:
    """Fit a logistic regression on one-hot coded words and standardised numbers."""
    words = [FEATURES.index(name) for name in WORD_FIELDS]
    inputs = ColumnTransformer([("words", OneHotEncoder(handle_unknown="ignore"), words)], remainder=StandardScaler())
    return make_pipeline(inputs, LogisticRegression(max_iter=1000)).fit(customers, labels)


BASELINES: Mapping[str, Fit] = MappingProxyType({"logistic_regression": fit_logistic, "constant": fit_constant})
