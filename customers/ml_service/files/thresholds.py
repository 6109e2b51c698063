"""Whether a forest was fitted on our columns: its thresholds divide the values that customers have.

A forest of scaled values, of dummies or of columns in another order gives scores without an error, the same few for all
customers. Its thresholds show it: scikit-learn puts each between two values of the data that it was fitted on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from customers.ml_service.errors import ModelColumnsError
from customers.ml_service.forest.compiled import FlatForest
from customers.ml_service.forest.encoding import Encodings
from customers.ml_service.forest.parts import SCALERS
from customers.ml_service.forest.rounding import Floats32
from customers.ml_service.schema import BOUNDS, FEATURES, NINE_COLUMNS, WORD_FIELDS

# From these on a bank tells customers apart. Below, and possible, lie scaled values and logarithms.
_MEANT_FROM = {"credit_score": 10.0, "balance": 20.0}
# In a right forest all divide, or most if gaps were filled with -1. Above all values lies none, unless there were more
# countries than the codes know, which model.json has to give.
_FEWEST_DIVIDING, _MOST_ABOVE = 0.25, 0.25
# A forest of whole numbers has thresholds at k and at k + 0.5, and no third from k up to k + 1.
_MOST_FROM_ONE_TO_THE_NEXT = 2
# Scaled values and shares lie within it; of raw columns only those with small numbers do.
_SMALL = 20.0


@dataclass(frozen=True, eq=False)
class Column:
    """The n thresholds at which a forest splits one field, the lowest and highest value that it can have, and the value
    from which on a bank tells customers apart.
    """

    name: str
    thresholds: Floats32
    low: float
    high: float
    meant_from: float

    @property
    def is_wrong(self) -> bool:
        """Whether no threshold has possible values on both sides: all customers go the same way."""
        return not self._inside(self.low)

    @property
    def is_doubtful(self) -> bool:
        """Whether many are where customers do not differ, or whole numbers are divided where there are only two."""
        number, above = len(self.thresholds), int((self.thresholds >= self.high).sum())
        few = self.dividing < _FEWEST_DIVIDING * number or above > _MOST_ABOVE * number
        return few or self.is_between_neighbours

    @property
    def dividing(self) -> int:
        """How many thresholds tell customers apart; of a balance those between overdrafts, too."""
        overdrafts = int((self.thresholds <= -self.meant_from).sum()) if self.name == "balance" else 0
        return self._inside(self.meant_from) + overdrafts

    def _inside(self, low: float) -> int:
        return int(((self.thresholds >= low) & (self.thresholds < self.high)).sum())

    @property
    def is_between_neighbours(self) -> bool:
        # Two values, as of a flag, have nowhere else to be divided: resampling puts many thresholds there.
        if self.name == "balance" or self.high - self.low < 2:
            return False
        different = np.unique(self.thresholds.astype(np.float64).round(3))  # scaling and back leaves a little noise
        return len(different) > _MOST_FROM_ONE_TO_THE_NEXT and len(np.unique(np.floor(different))) == 1

    @property
    def is_small(self) -> bool:
        return bool(np.abs(self.thresholds).max() <= _SMALL)

    @property
    def span(self) -> str:
        lowest, highest = self.thresholds.min(), self.thresholds.max()
        return f"{lowest:.6g}" if lowest == highest else f"{lowest:.6g} to {highest:.6g}"

    def __str__(self) -> str:
        number = len(self.thresholds)
        if self.dividing and self.is_between_neighbours:
            below = int(np.floor(self.thresholds.min()))
            return f"{self.name}: all of its {number:,} thresholds ({self.span}) lie between {below} and {below + 1}"
        how_many, span = self.dividing or "none", f"{self.meant_from:,g} to {self.high:,g}"
        return f"{self.name}: {how_many} of its {number:,} thresholds ({self.span}) inside {span}"


def columns(flat: FlatForest, encodings: Encodings) -> list[Column]:
    """Return the columns that the forest splits at, in FEATURES order."""
    inner = ~flat.is_leaf
    features, thresholds = flat.features[inner], flat.thresholds[inner]
    lows_and_highs = {
        # Most balances are 0 or more in every bank: what lies below says little of how a forest was fitted.
        **{name: (max(0.0, float(bounds.low)), float(bounds.high)) for name, bounds in BOUNDS.items()},
        **{name: (float(min(of.values())), float(max(of.values()))) for name, of in encodings.as_metadata().items()},
    }
    return [
        Column(name, thresholds[features == index], low, high, _MEANT_FROM.get(name, low))
        for index, (name, (low, high)) in enumerate((name, lows_and_highs[name]) for name in FEATURES)
        if (features == index).any()
    ]


def refuse(found: Sequence[Column], split: Sequence[Column]) -> None:
    """ModelColumnsError when any is found, with what is likely to have happened to the columns that are split at."""
    if found:
        raise ModelColumnsError(
            f"the forest was fitted on something else than the nine columns. {'; '.join(map(str, found))}. "
            f"{_cause(found, split)} Dump a forest that was fitted on {NINE_COLUMNS}; or the whole Pipeline, if only "
            f"{' or '.join(SCALERS)} of all columns stands before it. If the columns are right all the same: "
            "`manage.py release_model PATH --trust-columns REASON`"
        )


def _cause(found: Sequence[Column], split: Sequence[Column]) -> str:
    if {column.name for column in found} <= set(WORD_FIELDS) and all(column.is_small for column in found):
        return "Other label codes, most likely: put them under `encodings` in a model.json beside the file."
    if all(column.is_small for column in split):
        return "Scaled values, most likely."
    return "Dummies, other units, some scaled columns or columns in another order, most likely."
