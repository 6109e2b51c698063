"""A forest with what belongs to it: checksum, label codes, metadata. What `load_forest` and `current_forest` return."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from customers.ml_service.schema import FEATURES, Explanation

from . import engine
from .compiled import FlatForest, Floats
from .encoding import Encodings, Row, encode_row, encode_rows, pick, pick_all
from .explain import Explained, Explainer


def fingerprint_of(sha256: str, encodings: Encodings) -> str:
    """The fingerprint of the model whose file has this checksum and was fitted on these label codes."""
    codes = json.dumps(encodings.as_metadata(), sort_keys=True)
    return hashlib.sha256(f"{sha256} {codes}".encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Forest:
    """A loaded model. Immutable and safe to share between threads and forks.

    `sha256` is the model.pkl's; `released` is whether the model.json beside it names that sha256; `metadata` is
    that file's content, empty when it belongs to another model; `unpickled` is whether it was built from the model.pkl
    itself, and not read from stored arrays.
    """

    flat: FlatForest
    sha256: str
    encodings: Encodings
    released: bool
    metadata: Mapping[str, Any]
    unpickled: bool = False

    @cached_property
    def fingerprint(self) -> str:
        """What the scores depend on, the file and its label codes, as a hexadecimal SHA-256."""
        return fingerprint_of(self.sha256, self.encodings)

    @property
    def n_trees(self) -> int:
        return self.flat.n_trees

    def predict_one(self, customer_data: Mapping[str, Any]) -> float:
        """Return the churn probability of one customer. InputError names a field that cannot be scored."""
        row = encode_row(pick(customer_data), self.encodings)
        return engine.score_row(self.flat, self.encodings.in_float32([row])[0] if self.encodings.roundings else row)

    def predict_many(self, rows: Iterable[Mapping[str, Any]]) -> Floats:
        """Return the (n,) float64 probabilities of n customers. An InputError carries the row's index."""
        return self.predict_tuples(pick_all(rows))

    def predict_tuples(self, rows: Sequence[Row]) -> Floats:
        """Return the (n,) float64 probabilities of n rows, each a tuple in FEATURES order as psycopg returns it."""
        return engine.score_rows(self.flat, encode_rows(rows, self.encodings))

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self.flat)

    @property
    def base_value(self) -> float:
        """The score when nothing is known of a customer, from which contributions are counted."""
        return self._explainer.base_value

    def explain_one(self, customer_data: Mapping[str, Any]) -> Explanation:
        """Return the score of one customer with the exact contribution of each field."""
        return self.explain_many([customer_data])[0]

    def explain_many(self, rows: Iterable[Mapping[str, Any]]) -> list[Explanation]:
        """Return the explanations of n customers. An InputError carries the row's index."""
        picked = pick_all(rows)
        explained = self.explain_matrix(picked)
        scores, contributions = explained.scores.tolist(), explained.contributions.tolist()
        return [
            Explanation(
                score, self.base_value, dict(zip(FEATURES, parts, strict=True)), dict(zip(FEATURES, row, strict=True))
            )
            for score, parts, row in zip(scores, contributions, picked, strict=True)
        ]

    def explain_matrix(self, rows: Sequence[Row]) -> Explained:
        """Return scores and contributions of n rows as arrays, without an object for each: the form to store.

        The rows are tuples in FEATURES order as psycopg returns them. An InputError carries the row's index.
        """
        matrix = encode_rows(rows, self.encodings)
        return Explained(engine.score_rows(self.flat, matrix), self._explainer.contributions(matrix), matrix)
