"""What a forest may learn from the bank's own history: customers as they stood when a day began, and who left from then
on. No value that was edited later is used; outcomes count as in ``evaluation.py``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from customers.history.as_of import PastCustomer, read_as_of
from customers.import_export.aliases import kept_aliases
from customers.import_export.csv_files.cells import folded
from customers.import_export.training_file import LEAST, as_number
from customers.ml_service.forest.encoding import find_faults
from customers.ml_service.schema import FEATURES, is_word
from customers.ml_service.training import TrainingData, TrainingDataError
from customers.monitoring.evaluation import observed_until, window_of
from customers.monitoring.window import HAS_LEFT, OUTCOMES, Window
from customers.presentation.durations import format_day
from customers.sql import fetch_rows

# Gone, and the last version is one with an objection: it is respected as that of a present customer is.
LATER = """WHERE later.customer_id = last.customer_id
          AND (later.arrived_at, later.version) > (last.arrived_at, last.version)"""
LEFT_OBJECTING = f"""present.customer_id IS NULL AND EXISTS (
    SELECT FROM customers_unscoredversion AS last
    WHERE last.customer_id = customer.customer_id AND last.objected_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM customers_unscoredversion AS later {LATER})
      AND NOT EXISTS (SELECT FROM customers_scorerecord AS later {LATER}))"""
FATES = f"""
SELECT customer.customer_id, COALESCE(outcome.left_on < %(first_day)s, false),
    present.objected_at IS NOT NULL OR {LEFT_OBJECTING}, {HAS_LEFT}
FROM unnest(%(ids)s::bigint[]) AS customer (customer_id) {OUTCOMES}
"""


Meant = Mapping[int, Mapping[str, str]]  # by the place of the field: folded words, and what is stored for each


@dataclass
class PastCustomers:
    """Those of the first day of the window who can be learned from, and how many can't.

    ``objected``: on that day, or now. ``unknown``: it is not known whether they left. ``left_before``: the bank says
    that they had left, though they were in the table. ``impossible``: the bounds are narrower now than they were.
    ``reworded`` are among the data: with a word that an import would have stored otherwise, by the aliases of now.
    """

    window: Window
    meant: Meant = field(default_factory=dict, compare=False)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    labels: list[bool] = field(default_factory=list)
    objected: int = 0
    unknown: int = 0
    left_before: int = 0
    impossible: int = 0
    reworded: int = field(default=0, compare=False)

    @property
    def data(self) -> TrainingData:
        return TrainingData(self.rows, np.array(self.labels, dtype=np.int64))

    def add(self, customer: PastCustomer, left_before: bool, objects: bool, has_left: bool | None) -> None:
        """One customer, who is used or counted."""
        if customer.has_objected or objects:
            self.objected += 1
        elif left_before:
            self.left_before += 1
        elif has_left is None:
            self.unknown += 1
        else:
            self.use(customer.values, has_left)

    def use(self, values: tuple[Any, ...], has_left: bool) -> None:
        """Words as an import would store them; who has an impossible value nevertheless is counted."""
        read = as_imported(values, self.meant)
        if find_faults(dict(zip(FEATURES, read, strict=True))):
            self.impossible += 1
            return
        self.reworded += read != values
        self.rows.append(tuple(map(as_number, read)))
        self.labels.append(has_left)


def as_imported(values: tuple[Any, ...], meant: Meant) -> tuple[Any, ...]:
    read = list(values)
    for place, words in meant.items():
        word = values[place]
        read[place] = words.get(folded(word)) or (word if is_word(word) else " ".join(word.split()))
    return tuple(read)


def aliases_of_bank() -> Meant:
    return {
        FEATURES.index(name): {folded(written): word for written, word in aliases.items()}
        for name, aliases in kept_aliases().items()
    }


def read_past(days: int, first_day: date | None = None) -> PastCustomers:
    """The customers of the first day, by default the latest whose outcomes are known for so many days.

    Raises ``NothingToEvaluateError`` where there is no such window, ``NotKeptError`` where the history does not reach
    back to its first day, ``TrainingDataError`` where too few left or stayed.
    """
    past = gather(window_of(days, first_day, observed_until()))
    refuse_too_few(past)
    return past


def gather(window: Window) -> PastCustomers:
    found = PastCustomers(window, aliases_of_bank())
    values = window.values()
    for page in read_as_of(window.begins):
        fates = {row[0]: row[1:] for row in fetch_rows(FATES, {**values, "ids": [it.customer_id for it in page]})}
        for customer in page:
            found.add(customer, *fates[customer.customer_id])
    return found


def refuse_too_few(past: PastCustomers) -> None:
    left = sum(past.labels)
    stayed = len(past.labels) - left
    if min(left, stayed) < LEAST:
        days = f"from {format_day(past.window.first_day)} to {format_day(past.window.last_day)}"
        raise TrainingDataError(
            f"At least {LEAST} customers who left and {LEAST} who stayed are needed; {left} left {days}, and {stayed} "
            f"stayed. {' '.join(about_left_out(past))} Choose another --as-of, a longer --horizon, or load outcomes "
            "with manage.py import_outcomes."
        )


def about_left_out(past: PastCustomers) -> Iterator[str]:
    """Who is not used, and why, a sentence for each reason; for staff."""
    yield f"Not used because they objected to profiling: {past.objected:,}."
    yield f"Not used because it is not known whether they left: {past.unknown:,}."
    yield f"Not used because they had left before: {past.left_before:,}."
    yield f"Not used because a value is not possible by the present bounds: {past.impossible:,}."
