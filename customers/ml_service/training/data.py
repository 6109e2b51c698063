"""What a forest is fitted on: customers of whom it is known whether they left."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.forest.encoding import Encodings
from customers.ml_service.schema import FEATURES, GEOGRAPHIES

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]
Indices = NDArray[np.int64]


class TrainingDataError(ValueError):
    """The customers cannot be trained on; the message says why and is for a person."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """n customers, values in FEATURES order and words included, and whether each left (1) or stayed (0).

    `others` are columns that came along and are not trained on: name, and n cells of text, "" where nothing stood.
    """

    rows: Sequence[tuple[Any, ...]]
    labels: Labels
    others: Sequence[tuple[str, Sequence[str]]] = ()

    @property
    def churn_rate(self) -> float:
        return _rate(self.labels)

    def column(self, feature: str) -> list[Any]:
        place = FEATURES.index(feature)
        return [row[place] for row in self.rows]

    def part(self, indices: Indices) -> "TrainingData":
        """Return some of the customers, without the other columns."""
        return TrainingData([self.rows[index] for index in indices], self.labels[indices])


def learn_encodings(data: TrainingData) -> Encodings:
    """Code countries by how many of their customers left, fewest first: one threshold then separates the risky ones."""
    countries = np.array(data.column("geography"))
    rates = {name: _rate(data.labels[countries == name]) for name in GEOGRAPHIES}
    ranked = sorted(GEOGRAPHIES, key=lambda name: (rates[name], name))
    return Encodings(geography={name: code for code, name in enumerate(ranked)})


def _rate(labels: Labels) -> float:
    return float(labels.mean()) if len(labels) else 0.0
