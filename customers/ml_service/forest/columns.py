"""Which column of a model is which of our fields: by name if the file has names, else by order."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from customers.ml_service.errors import ModelColumnsError
from customers.ml_service.names import field_called, plain
from customers.ml_service.schema import FEATURES, GENDERS, GEOGRAPHIES, NINE_COLUMNS

from .parts import parts_of


def columns_of(model: Any) -> Sequence[int]:
    """Return, for each column of the model, the index of our field; by name as in an import, else by order.

    ModelColumnsError when they are not the nine.
    """
    n_columns, names = int(parts_of(model).first.n_features_in_), names_of(model)
    fields = [field_called(name) for name in names] if names else list(FEATURES)
    if n_columns != len(FEATURES):
        raise ModelColumnsError(f"the forest was fitted on {n_columns} columns{_faults(fields if names else [])}")
    if sorted(fields) != sorted(FEATURES):
        raise ModelColumnsError(f"the forest's columns are {', '.join(names)}{_faults(fields)}")
    return [FEATURES.index(name) for name in fields]


def names_of(model: Any) -> tuple[str, ...]:
    """The names of the columns that a model was fitted on; none when it was fitted on a plain array."""
    return tuple(map(str, getattr(parts_of(model).first, "feature_names_in_", ())))


def _faults(fields: Sequence[str]) -> str:
    """What is wrong with the columns, as far as they have names, and what would be right."""
    unknown = [name for name in fields if name not in FEATURES]
    dummies = [name for name in unknown if any(plain(word) in plain(name) for word in (*GEOGRAPHIES, *GENDERS))]
    kinds = {
        "not among the nine": [name for name in unknown if name not in dummies],
        "dummies, where a country or a gender is one number": dummies,
        "there twice": [name for name, times in Counter(fields).items() if times > 1],
        "missing": [name for name in FEATURES if fields and name not in fields],
    }
    found = [f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names]
    return "; ".join(["", *found, f"fit it on {NINE_COLUMNS}"])
