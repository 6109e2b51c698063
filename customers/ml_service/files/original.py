"""The score by scikit-learn itself: slow, and independent of everything that the compiled forest does."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from customers.ml_service.forest.columns import columns_of
from customers.ml_service.forest.compiled import Floats, churn_column_of
from customers.ml_service.forest.encoding import Encodings
from customers.ml_service.forest.parts import parts_of
from customers.ml_service.schema import FEATURES


class Original:
    """A fitted forest as it was unpickled, whatever lies around it, with the label codes it was fitted on."""

    def __init__(self, model: Any, encodings: Encodings) -> None:
        self._model = model
        self._columns = columns_of(model)
        self._churn_column = churn_column_of(parts_of(model).forest)
        self._codes = encodings.as_metadata()

    def predict_tuples(self, rows: Sequence[Sequence[Any]]) -> Floats:
        """Return the (n,) probabilities of n rows in FEATURES order, whose values are known to be possible."""
        # Encoded here and not by `encode_rows`, whose mistakes would otherwise be made twice.
        matrix = np.array(
            [
                [float(self._codes[name][value] if name in self._codes else value) for name, value in cells]
                for cells in (zip(FEATURES, row, strict=True) for row in rows)
            ]
        )
        with warnings.catch_warnings():
            # The columns are put in the model's own order here; their names would take pandas.
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            scores: Floats = self._model.predict_proba(matrix[:, self._columns])[:, self._churn_column]
        return scores
