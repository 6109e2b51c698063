"""Which of the made-up customers leave: drawn by a formula that gives groups the churn rates of a bank's."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from customers.demo_data import FEMALE, GERMANY, Array, Columns
from customers.ml_service.schema import FEATURES, GENDERS, GEOGRAPHIES

LABELS = 2  # what the stream is for, beside those of the customers themselves


def as_columns(rows: Iterable[tuple[Any, ...]]) -> Columns:
    return {field: np.array(values) for field, values in zip(FEATURES, zip(*rows, strict=True), strict=True)}


def churn_labels(rows: Iterable[tuple[Any, ...]], seed: int) -> NDArray[np.bool_]:
    """Draw whether each customer, a tuple in the order of ``FEATURES``, has left."""
    probabilities = churn_probabilities(as_columns(rows))
    labels: NDArray[np.bool_] = default_rng([seed, LABELS]).random(len(probabilities)) < probabilities
    return labels


def churn_probabilities(columns: Columns) -> NDArray[np.float64]:
    """The probability that the made-up customers' labels are drawn by."""
    logit = 1.07 * (-2.95 + leaning(columns) + products_leaning(columns) + age_leaning(columns)) + 0.04
    probabilities: NDArray[np.float64] = 1 / (1 + np.exp(-logit))
    return probabilities


def leaning(columns: Columns) -> Array:
    score = columns["credit_score"]
    leans: Array = (
        0.82 * (columns["geography"] == GEOGRAPHIES[GERMANY])
        + 0.49 * (columns["gender"] == GENDERS[FEMALE])
        + 0.68 * inactive(columns)
        + 3.8 * (score < 405)
        - 0.04 * (score - 650) / 100
        - 0.24 * (columns["tenure"] - 5) / 10
    )
    return leans


def products_leaning(columns: Columns) -> Array:
    products, empty = columns["num_of_products"], columns["balance"].astype(float) == 0
    one, two = products == 1, products == 2
    leans: Array = (
        -0.91 * two + 2.74 * (products == 3) + 7.7 * (products == 4) + 0.82 * (empty & one) - 1.01 * (empty & two)
    )
    return leans


def age_leaning(columns: Columns) -> Array:
    over = {year: np.maximum(columns["age"] - year, 0) / 10 for year in (35, 47, 53, 60)}
    leans: Array = (
        1.72 * over[35]
        - 1.49 * over[47]
        - 0.91 * over[53]
        - 1.52 * over[60]
        + inactive(columns) * (2.21 * over[47] - 1.78 * over[60])
    )
    return leans


def inactive(columns: Columns) -> Array:
    return np.subtract(1, columns["is_active_member"])
