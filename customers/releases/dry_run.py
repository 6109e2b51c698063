"""What a model would change: the scores of some customers by it, beside those of the active one."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from customers.ml_service import FEATURES, Forest, ModelError
from customers.ml_service.messages import FIELD_NAMES
from customers.ml_service.schema import WORD_FIELDS
from customers.models import Customer, ModelRelease
from customers.portfolio.movers import Mover
from customers.portfolio.sampling import random_ids
from customers.presentation.numbers import format_count, format_percent
from customers.releases.active import forest_of
from customers.releases.words import known_words
from customers.sql import fetch_rows

SAMPLE_CUSTOMERS = 2000
QUANTILES = (1, 5, 25, 50, 75, 95, 99)
FAR = 0.1
MOST_MOVED = 10

# Who objects waits for no model.
BY_WORDS = """
SELECT geography, gender, count(*) FROM customers_customer WHERE objected_at IS NULL GROUP BY geography, gender
"""

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreShift:
    """How scores move. ``quantiles`` are of the change, by percent; ``moved_far`` is a share."""

    customers: int
    mean_before: float
    mean_after: float
    quantiles: dict[int, float]
    moved_far: float
    movers: list[Mover]  # by id alone: what is printed may be kept

    @property
    def of_mean(self) -> float:
        return self.mean_after - self.mean_before


def compare(ids: Sequence[int], before: Scores, after: Scores) -> ScoreShift | None:
    """The figures of two scores for each customer; None without customers."""
    if not len(ids):
        return None
    change = after - before
    furthest = np.argsort(-np.abs(change), kind="stable")[:MOST_MOVED]
    return ScoreShift(
        customers=len(ids),
        mean_before=float(before.mean()),
        mean_after=float(after.mean()),
        quantiles={q: float(np.percentile(change, q)) for q in QUANTILES},
        moved_far=float((np.abs(change) > FAR).mean()),
        movers=[Mover(ids[i], float(before[i]), float(after[i])) for i in furthest.tolist() if change[i]],
    )


def rehearse(candidate: Forest, customers: int = SAMPLE_CUSTOMERS) -> ScoreShift | None:
    """Score some stored customers by the active model and by the candidate; store and activate nothing."""
    drawn = Customer.objects.not_objected().filter(pk__in=random_ids(customers))
    rows = list(drawn.values_list("pk", "churn_risk_score", *FEATURES))
    release = ModelRelease.objects.active()
    try:
        active = forest_of(release) if release is not None else None
    except ModelError:
        active = None
    if active is None:  # not in place any more, as when the candidate was copied over it: then what is stored
        rows = [row for row in rows if row[1] is not None]
    # A customer whose country or gender one of the two does not know has no score to compare.
    for forest in filter(None, (active, candidate)):
        unknown = forest.encodings.find_unknown_words([row[2:] for row in rows])
        rows = [row for place, row in enumerate(rows) if place not in unknown]
    if not rows:
        return None
    features = [row[2:] for row in rows]
    before = np.array([row[1] for row in rows]) if active is None else active.predict_tuples(features)
    return compare([row[0] for row in rows], before, candidate.predict_tuples(features))


@dataclass(frozen=True)
class Waiting:
    """How many customers have a word that a model does not know, by what it is called, as in "country Italy".

    ``lost`` are those words that the active model knows.
    """

    customers: Mapping[str, int]
    lost: list[str]

    def __str__(self) -> str:
        return "\n".join(
            f"{format_count(number, 'customer', 'customers')} of the {called} would wait for a model that knows it."
            for called, number in self.customers.items()
        )


def count_waiting(candidate: Forest) -> Waiting:
    """Exact: all customers are read once."""
    active = known_words() if ModelRelease.objects.active() is not None else None
    found: Counter[tuple[str, str]] = Counter()
    for *words, number in fetch_rows(BY_WORDS):
        for name, word in zip(WORD_FIELDS, words, strict=True):
            if word not in candidate.encodings.codes(name):
                found[name, word] += number
    called = {key: f"{FIELD_NAMES[key[0]]} {key[1]}" for key, _ in found.most_common()}
    lost = [it for (name, word), it in called.items() if active is not None and word in active.codes(name)]
    return Waiting({it: found[key] for key, it in called.items()}, lost)


def table(shift: ScoreShift) -> Iterator[str]:
    """The figures as lines to print."""
    yield f"How scores would move, {shift.customers:,} customers drawn at random:"
    yield f"  mean           {shift.mean_before:7.4f} -> {shift.mean_after:.4f}  ({shift.of_mean:+.4f})"
    yield "  change at      " + "".join(f"{f'p{q}':>9}" for q in shift.quantiles)
    yield "                 " + "".join(f"{change:+9.4f}" for change in shift.quantiles.values())
    yield f"  moved by more than {FAR}: {format_percent(shift.moved_far)}"
    if shift.movers:
        yield "  moved most: customer     before    after"
    for mover in shift.movers:
        yield f"  {mover.customer_id:>20}    {mover.before:7.4f}  {mover.after:7.4f}"
