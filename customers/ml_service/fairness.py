"""Whether a model treats groups of customers alike: who is selected, who is missed, and what a score means in a group.

Selected are customers from a threshold of the score on. Of those who left they are the true positive rate, of those who
stayed the false positive rate: Hardt, Price and Srebro (2016), "Equality of Opportunity in Supervised Learning". Mean
score beside the share that left is calibration within groups: Chouldechova (2017), "Fair prediction with disparate
impact", who shows that groups of different churn rates can't be equal in all of these. So nothing here calls a model
fair: it gives the figures, with intervals, that a bank judges by.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .intervals import Rate, rate_of
from .performance import FEWEST
from .schema import WORD_FIELDS

Result = Literal["as expected", "too low", "too high", "too few to tell"]

# From which score on a risk is medium, high, critical, where the caller has no bands of its own.
THRESHOLDS = (0.25, 0.5, 0.75)

# Customers are grouped by these fields: by each word, by each answer of yes or no, and by classes of numbers.
FIELDS = ("geography", "gender", "age", "num_of_products", "is_active_member")
# First whole numbers of the classes; the first class is open below, the last one above.
CLASSES: Mapping[str, tuple[int, ...]] = MappingProxyType({"age": (18, 30, 45, 60), "num_of_products": (1, 2, 3)})
# So many words of a field have a group of their own, those of most customers; the others are one group.
MOST_WORDS = 20
OTHER_WORDS = "other"

# A difference between mean score and share that left which is worth a warning where chance alone does not explain it.
FAR = 0.05


@dataclass(frozen=True)
class Tally:
    """A group of customers by risk band, the lowest first, and the sum of their scores.

    `left` is how many of each band have left; None where that is not known.
    """

    customers: Sequence[int]
    score_sum: float
    left: Sequence[int] | None = None

    def __add__(self, other: "Tally") -> "Tally":
        left = None if self.left is None or other.left is None else _sums(self.left, other.left)
        return Tally(_sums(self.customers, other.customers), self.score_sum + other.score_sum, left)


@dataclass(frozen=True)
class GroupFigures:
    """The figures of one group. None where there are too few customers to tell, or it is not known who left.

    `selected`, `true_positive` and `false_positive` have one rate for each threshold, the lowest first.
    """

    customers: int
    mean_score: float | None
    left: int | None = None
    share_left: Rate | None = None
    selected: tuple[Rate | None, ...] = ()
    true_positive: tuple[Rate | None, ...] = ()
    false_positive: tuple[Rate | None, ...] = ()

    @property
    def result(self) -> Result:
        """Whether the scores of the group, on average, are what became of it, but for chance (95 %)."""
        if self.share_left is None or self.mean_score is None:
            return "too few to tell"
        if self.share_left.low <= self.mean_score <= self.share_left.high:
            return "as expected"
        return "too low" if self.mean_score < self.share_left.low else "too high"

    @property
    def is_far(self) -> bool:
        """Whether the scores are off by so much that staff should know."""
        if self.share_left is None or self.mean_score is None or self.result == "as expected":
            return False
        return abs(self.mean_score - self.share_left.share) >= FAR

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "GroupFigures":
        """Read what `as_json` returned and a database has kept."""
        rates = {
            name: tuple(_read_rate(rate) for rate in stored[name])
            for name in ("selected", "true_positive", "false_positive")
        }
        return cls(**{**stored, "share_left": _read_rate(stored["share_left"]), **rates})


Groups = dict[str, dict[str, GroupFigures]]


def _sums(these: Sequence[int], those: Sequence[int]) -> list[int]:
    return [one + other for one, other in zip(these, those, strict=True)]


def _read_rate(stored: Sequence[float] | None) -> Rate | None:
    return None if stored is None else Rate(*stored)


def tally(scores: NDArray[np.float64], thresholds: Sequence[float], left: NDArray[Any] | None = None) -> Tally:
    """Count (n,) scores by band; `left` (n,) says of each customer whether they left, as 1 or 0."""
    bands = np.digitize(scores, thresholds)
    counts = np.bincount(bands, minlength=len(thresholds) + 1).tolist()
    gone = None if left is None else np.bincount(bands[left == 1], minlength=len(thresholds) + 1).tolist()
    return Tally(counts, float(scores.sum()), gone)


def figures(counted: Tally) -> GroupFigures:
    """Return the figures of a group. Rates among fewer than FEWEST customers are left out: they would show chance."""
    number = sum(counted.customers)
    mean_score = counted.score_sum / number if number >= FEWEST else None
    selected = _from_each_threshold(counted.customers, number)
    if counted.left is None:
        return GroupFigures(number, mean_score, selected=selected)
    gone = sum(counted.left)
    stayed = [all_ - some for all_, some in zip(counted.customers, counted.left, strict=True)]
    return GroupFigures(
        number,
        mean_score,
        gone,
        _rate(gone, number),
        selected,
        _from_each_threshold(counted.left, gone),
        _from_each_threshold(stayed, number - gone),
    )


def _from_each_threshold(by_band: Sequence[int], number: int) -> tuple[Rate | None, ...]:
    """The rates of those from each threshold on, among so many."""
    return tuple(_rate(sum(by_band[band:]), number) for band in range(1, len(by_band)))


def _rate(count: int, number: int) -> Rate | None:
    return rate_of(count, number) if number >= FEWEST else None


# --- groups -----------------------------------------------------------------------------------------------------------


def class_names(starts: Sequence[int]) -> list[str]:
    """``18-29``, ``60+``; ``1`` where a class is one number."""
    closed = [
        f"{first}" if following - first == 1 else f"{first}-{following - 1}" for first, following in pairwise(starts)
    ]
    return [*closed, f"{starts[-1]}+"]


def masks(field: str, column: NDArray[Any]) -> dict[str, NDArray[np.bool_]]:
    """Return which of n customers are in each group of one of FIELDS; every customer is in one group.

    `column` holds n words, or n numbers.
    """
    if field in WORD_FIELDS:
        return _by_word(column)
    if field in CLASSES:
        names = class_names(CLASSES[field])
        classes = np.digitize(column, CLASSES[field][1:])
        return {name: classes == number for number, name in enumerate(names)}
    return {"0": column == 0, "1": column == 1}


def _by_word(column: NDArray[Any]) -> dict[str, NDArray[np.bool_]]:
    words, numbers = np.unique(column, return_counts=True)
    kept = np.sort(words[np.argsort(-numbers, kind="stable")[:MOST_WORDS]])
    found = {str(word): column == word for word in kept}
    others = ~np.isin(column, kept)
    if others.any():
        found[OTHER_WORDS] = found[OTHER_WORDS] | others if OTHER_WORDS in found else others
    return found


def largest_words(tallies: Mapping[str, Tally]) -> dict[str, Tally]:
    """Return at most MOST_WORDS groups, and one of all other words, in the order of the words."""
    ranked = sorted(tallies, key=lambda word: (-sum(tallies[word].customers), word))
    kept = {word: tallies[word] for word in sorted(ranked[:MOST_WORDS])}
    for word in ranked[MOST_WORDS:]:
        kept[OTHER_WORDS] = kept[OTHER_WORDS] + tallies[word] if OTHER_WORDS in kept else tallies[word]
    return kept


def in_order(groups: Groups) -> Iterator[tuple[str, str, GroupFigures]]:
    """Yield field, group and figures, fields and groups in their own order, whatever the database made of it."""
    for field in FIELDS:
        of_field = groups.get(field, {})
        yield from ((field, group, of_field[group]) for group in sorted(of_field))
