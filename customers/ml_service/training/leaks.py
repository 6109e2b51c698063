"""Columns that give the label away: what is known only of customers who have left, and customers' numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import TargetEncoder

from customers.ml_service.schema import FEATURES

from .data import Labels, Scores, TrainingData, TrainingDataError

# No honest column comes near it: age, the best of the nine, has 0.75. Complaints written down as customers leave
# have 0.998 in one table that goes round.
LEAK_AUC = 0.95


@dataclass(frozen=True)
class Alone:
    """A column, and the ROC AUC that it has when nothing else is known. `is_id`: every customer has another value."""

    name: str
    roc_auc: float
    is_id: bool = False

    @property
    def leaks(self) -> bool:
        return self.roc_auc >= LEAK_AUC


def features_alone(data: TrainingData) -> list[Alone]:
    return [Alone(name, roc_auc_alone(data.column(name), data.labels)) for name in FEATURES]


def others_alone(data: TrainingData) -> list[Alone]:
    """Judge the columns that are not trained on, in the order of the file."""
    return [Alone(name, roc_auc_alone(cells, data.labels), is_id(cells)) for name, cells in data.others]


def refuse_copies(data: TrainingData) -> None:
    """TrainingDataError when a feature holds the label, or a customer's number, under another name."""
    ids = [(name, as_numbers(cells)) for name, cells in data.others if is_id(cells)]
    for feature in FEATURES:
        values = data.column(feature)
        pairs = set(zip(values, data.labels.tolist(), strict=True))
        if len(pairs) == len(set(values)) == 2:  # one value for those who left and one for those who stayed
            raise TrainingDataError(f"The column for {feature} is the label itself in every row. Use the real column.")
        for name, numbers in ids:
            if not np.isnan(numbers).any() and np.array_equal(as_numbers(values), numbers):
                raise TrainingDataError(
                    f"The column for {feature} is the number {name} in every row. Use the real column."
                )


def is_id(cells: Sequence[Any]) -> bool:
    """Whether no two customers share a value, as with numbers and names of rows; fractions are measurements."""
    if len(set(cells)) < len(cells) or "" in cells:
        return False
    numbers = as_numbers(cells)
    return not (numbers != np.floor(numbers))[np.isfinite(numbers)].any()


def roc_auc_alone(values: Sequence[Any], labels: Labels) -> float:
    """Return the higher of two ROC AUCs: by the order of the numbers, either way round, and by the single values."""
    return max(_by_order(as_numbers(values), labels), _by_value(values, labels))


def as_numbers(values: Sequence[Any]) -> Scores:
    """Return the (n,) values as numbers, NaN where there is none."""
    return np.array([_number_or_nan(value) for value in values])


def _number_or_nan(value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        return float("nan")


def _by_order(numbers: Scores, labels: Labels) -> float:
    known = np.isfinite(numbers)
    # A handful of numbers is in order by chance.
    if known.mean() < 0.5 or len(set(labels[known].tolist())) < 2:
        return 0.5
    roc_auc = float(roc_auc_score(labels[known], numbers[known]))
    return max(roc_auc, 1 - roc_auc)


def _by_value(values: Sequence[Any], labels: Labels) -> float:
    """Return the ROC AUC of the churn rate that each value has among other customers (cross-fitted target encoding).

    Micci-Barreca (2001), "A preprocessing scheme for high-cardinality categorical attributes". Because of the other
    customers a column in which every customer has another value shows nothing.
    """
    cells = np.array([str(value) for value in values], dtype=object)[:, None]
    encoder = TargetEncoder(target_type="binary", cv=StratifiedKFold(shuffle=True, random_state=0))
    return float(roc_auc_score(labels, encoder.fit_transform(cells, labels)[:, 0]))
