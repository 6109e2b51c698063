"""Churn scores, the reasons for them, and what would change them. Plain Python: works without Django, set up or not.

The functions here use the configured forest (`configure`, `current_forest`); `load_forest` gives one of any file.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from .errors import (
    InputError,
    ModelClassError,
    ModelColumnsError,
    ModelCorruptError,
    ModelError,
    ModelImplausibleError,
    ModelMissingError,
    ModelVersionError,
    ScoringError,
    UnknownWordError,
    UnreleasedModelError,
)
from .files.assets import load_forest
from .files.registry import configure, current_forest
from .forest.compiled import Floats
from .forest.engine import warm_kernels
from .forest.explain import Explained
from .forest.forest import Forest
from .reasons.reasons import Reason, reasons_for
from .reasons.suggestions import Suggestion, best_changes
from .reasons.what_if import NOTE, WhatIf, compare
from .schema import BOUNDS, FEATURES, GENDERS, GEOGRAPHIES, Explanation

__all__ = [
    "BOUNDS",
    "FEATURES",
    "GENDERS",
    "GEOGRAPHIES",
    "NOTE",
    "Explained",
    "Explanation",
    "Forest",
    "InputError",
    "ModelClassError",
    "ModelColumnsError",
    "ModelCorruptError",
    "ModelError",
    "ModelImplausibleError",
    "ModelMissingError",
    "ModelVersionError",
    "Reason",
    "ScoringError",
    "Suggestion",
    "UnknownWordError",
    "UnreleasedModelError",
    "WhatIf",
    "best_changes",
    "compare",
    "configure",
    "current_forest",
    "explain",
    "explain_many",
    "load_forest",
    "predict_churn",
    "predict_many",
    "reasons_for",
    "suggest",
    "warm_kernels",
    "what_if",
]


def predict_churn(customer_data: Mapping[str, Any]) -> float:
    """Return the churn probability, in [0, 1], of the customer with these nine fields; further keys are ignored.

    Numbers may be int, float, Decimal, bool or numpy scalars; geography and gender are words that the model knows.
    Raises InputError naming the field (UnknownWordError for a word), or a ModelError.
    """
    return current_forest().predict_one(customer_data)


def predict_many(rows: Iterable[Mapping[str, Any]]) -> Floats:
    """Return the (n,) float64 churn probabilities of n customers, as `predict_churn` takes them."""
    return current_forest().predict_many(rows)


def explain(customer_data: Mapping[str, Any]) -> Explanation:
    """Return one customer's score with the exact contribution of each field; see `reasons_for` for words."""
    return current_forest().explain_one(customer_data)


def explain_many(rows: Iterable[Mapping[str, Any]]) -> list[Explanation]:
    """Return the explanations of n customers; far faster than one by one from 16 customers on."""
    return current_forest().explain_many(rows)


def what_if(customer_data: Mapping[str, Any], changes: Mapping[str, Any]) -> WhatIf:
    """Return the customer's score as given and with these changes, a mapping of fields to values. Nothing is stored.

    Raises InputError naming a field that cannot be scored, or a change of something that is none of the nine.
    """
    return compare(current_forest(), customer_data, changes)


def suggest(customer_data: Mapping[str, Any], *, limit: int = 5) -> tuple[Suggestion, ...]:
    """Return what would lower this customer's score most, of what a bank can influence: the lowest score first."""
    return best_changes(current_forest(), customer_data, limit=limit)
