"""The truth about scores: the pickled forests of a storm, asked through plain scikit-learn."""

import json
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from customers.ml_service.schema import FEATURES
from tests.factories import train_forest

Codes = Mapping[str, Mapping[str, int]]

ALPHABETICAL: Codes = {
    "geography": {"France": 0, "Germany": 1, "Spain": 2},
    "gender": {"Female": 0, "Male": 1},
}
OTHER_CODES: Codes = {
    "geography": {"France": 2, "Germany": 0, "Spain": 1},
    "gender": {"Female": 1, "Male": 0},
}


class Forests:
    """Every model file that the storm ever puts in place, by the checksum of the file."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, Codes]] = {}

    def learn(self, path: Path, codes: Codes = ALPHABETICAL) -> str:
        """Remember the forest in this file and the label codes it was fitted with; returns its checksum."""
        checksum = checksum_of(path)
        model = joblib.load(path)
        model.n_jobs = 1
        self._known[checksum] = model, codes
        return checksum

    def scores(self, checksum: str, rows: Iterable[Sequence[Any]], codes: Codes | None = None) -> list[float]:
        """What scikit-learn says of customers, given as tuples in FEATURES order; by these label codes, or its own."""
        model, own_codes = self._known[checksum]
        columns = [FEATURES.index(snake_case(name)) for name in getattr(model, "feature_names_in_", FEATURES)]
        matrix = np.array([[as_number(row, column, codes or own_codes) for column in columns] for row in rows])
        if not len(matrix):
            return []
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            return model.predict_proba(matrix)[:, list(model.classes_).index(1)].tolist()


def forest_with_other_codes(folder: Path, *, seed: int) -> Path:
    """A forest whose label codes only the model.json beside it tells."""
    folder.mkdir()
    path = train_forest(folder / "model.pkl", seed=seed)
    metadata = {"sha256": checksum_of(path), "encodings": OTHER_CODES}
    path.with_name("model.json").write_text(json.dumps(metadata))
    return path


def codes_beside(path: Path) -> Codes:
    """The label codes that a model.json beside the file vouches for."""
    return json.loads(path.with_name("model.json").read_text())["encodings"]


def checksum_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def as_number(row: Sequence[Any], column: int, codes: Codes) -> float:
    field, value = FEATURES[column], row[column]
    return float(codes[field][value] if field in codes else value)


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
