"""What a forest is fitted on: customers of whom it is known whether they left."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.forest.encoding import MOST_WORDS, Encodings, expected_of
from customers.ml_service.messages import FIELD_NAMES
from customers.ml_service.schema import FEATURES, WORD_FIELDS, is_word

Scores = NDArray[np.float64]
Labels = NDArray[np.int64]
Indices = NDArray[np.int64]
Group = Mapping[str, Labels]  # words that share a code, and the labels of their customers

# Fewer customers than this say too little of a word: of 30, of whom a fifth left, the share is known to no better than
# 14 percentage points (95 %). Such words share one code, as the infrequent categories of scikit-learn's encoders do.
FEWEST_OF_A_WORD = 30


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


def refuse_unfit_words(data: TrainingData) -> None:
    """TrainingDataError where a forest fitted on these words could not be put into service."""
    for name, words in words_of(data).items():
        for word in sorted(words):
            if not is_word(word):
                raise TrainingDataError(
                    f"{word!r} cannot be a {FIELD_NAMES[name]} of a model: {expected_of(name)}, without a blank at "
                    "either end. Correct it, and train again."
                )
        if len(words) > MOST_WORDS:
            raise TrainingDataError(
                f"There are {len(words):,} different words for the {FIELD_NAMES[name]}; a model can hold "
                f"{MOST_WORDS:,}. Keep category aliases that store several of them as one, and train again."
            )


def learn_encodings(data: TrainingData, words: Mapping[str, Iterable[str]] | None = None) -> Encodings:
    """Code the words of the data: countries by how many of their customers left, fewest first, so that one threshold
    separates the risky ones; genders by the alphabet. Rare words share a code.

    `words` are more words to know, by field: those of which these customers are a part.
    """
    learned = {}
    for name in WORD_FIELDS:
        column = np.array(data.column(name), dtype=object)
        known = {*column.tolist(), *(words or {}).get(name, ())}
        groups = _group_rare_words({word: data.labels[column == word] for word in known}, data.churn_rate)
        key: Callable[[Group], Any] = _by_churn_rate if name == "geography" else _by_alphabet
        learned[name] = {word: code for code, group in enumerate(sorted(groups, key=key)) for word in sorted(group)}
    return Encodings(learned["geography"], learned["gender"])


def words_of(data: TrainingData) -> dict[str, set[str]]:
    """The words of the data, by field."""
    return {name: set(data.column(name)) for name in WORD_FIELDS}


def _group_rare_words(by_word: Group, churn_rate: float) -> list[Group]:
    """Each frequent word by itself, and all rare ones together.

    Where even these are too few, they go with the frequent word whose churn rate is nearest to that of all customers.
    """
    frequent: list[Group] = [{word: labels} for word, labels in by_word.items() if len(labels) >= FEWEST_OF_A_WORD]
    rare = {word: labels for word, labels in by_word.items() if len(labels) < FEWEST_OF_A_WORD}
    if not rare:
        return frequent
    if frequent and sum(map(len, rare.values())) < FEWEST_OF_A_WORD:
        nearest = min(frequent, key=lambda group: (abs(_rate_of(group) - churn_rate), *group))
        frequent.remove(nearest)
        rare |= nearest
    return [*frequent, rare]


def _by_churn_rate(group: Group) -> tuple[float, str]:
    return _rate_of(group), min(group)


def _by_alphabet(group: Group) -> str:
    return min(group)


def _rate_of(group: Group) -> float:
    return _rate(np.concatenate([*group.values()]))


def _rate(labels: Labels) -> float:
    return float(labels.mean()) if len(labels) else 0.0
