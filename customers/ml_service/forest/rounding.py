"""How raw values become float32 where scalers stood before the forest: each stays on its side of every threshold.

scikit-learn scales float64 values and casts the scaled ones to float32; the compiled forest compares raw ones. A raw
threshold found for the scaled one is a float64, and of a balance above 131,072 float32 keeps less than the cent. So the
thresholds of a column get float32 values of their own, all different, and what lies between two is rounded to between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.errors import ModelCorruptError

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Indices = NDArray[np.int64]

_LARGEST = np.finfo(np.float32).max


def round_down(thresholds: Floats) -> Floats32:
    """Return the largest float32 not above each float64 threshold.

    scikit-learn casts X to float32 and compares with float64 thresholds; for a float32 x, `x <= t` is the same as
    `x <= round_down(t)`. Rounding to nearest sends rows that lie between the two the other way.
    """
    with np.errstate(over="ignore"):
        rounded = thresholds.astype(np.float32)
        too_high = rounded.astype(np.float64) > thresholds
        return np.where(too_high, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def as_ordered(numbers: NDArray[Any]) -> NDArray[Any]:
    """Return integers of the same width for floats, in the same order: neighbours differ by one."""
    bits = numbers.view(f"i{numbers.itemsize}")
    return np.where(bits < 0, np.iinfo(bits.dtype).min - bits, bits)


def from_ordered(integers: NDArray[Any]) -> NDArray[Any]:
    """Return the floats that `as_ordered` numbered so."""
    bits = np.where(integers < 0, np.iinfo(integers.dtype).min - integers, integers)
    return bits.view(f"f{bits.itemsize}")


@dataclass(frozen=True, eq=False)
class Rounding:
    """Of one column: its K raw thresholds, rising, and what stands for each in the forest, rising as well."""

    raw: Floats
    stand_ins: Floats32

    @classmethod
    def from_thresholds(cls, raw: Floats) -> "Rounding":
        """Each threshold becomes the largest float32 not above it, or the next one that is free."""
        down = as_ordered(round_down(raw))
        place = np.arange(len(raw))
        apart = np.maximum.accumulate(down - place) + place
        return cls(raw, from_ordered(apart.astype(np.int32)))

    def round(self, values: Floats) -> Floats32:
        """Return the (n,) values as float32: not above a stand-in exactly when not above its threshold."""
        above = np.searchsorted(self.raw, values)  # so many thresholds lie below each value
        rounded: Floats32 = np.clip(values.astype(np.float32), self._lows[above], self._highs[above])
        return rounded

    @cached_property
    def _lows(self) -> Floats32:
        return np.append(-_LARGEST, np.nextafter(self.stand_ins, _LARGEST))

    @cached_property
    def _highs(self) -> Floats32:
        return np.append(self.stand_ins, _LARGEST)

    def is_sound(self) -> bool:
        """Whether a search in it can be relied on."""
        rising = all((np.diff(numbers) > 0).all() for numbers in (self.raw, self.stand_ins))
        return rising and bool(np.isfinite(self.raw).all())


Roundings = Mapping[int, Rounding]


def as_arrays(roundings: Roundings) -> dict[str, NDArray[Any]]:
    """Return what `from_arrays` needs; nothing for a forest that is given raw values as they are."""
    if not roundings:
        return {}
    return {
        "cut_columns": np.repeat(list(roundings), [len(it.raw) for it in roundings.values()]).astype(np.int64),
        "cut_raw": np.concatenate([it.raw for it in roundings.values()]),
        "cut_stand_ins": np.concatenate([it.stand_ins for it in roundings.values()]),
    }


def from_arrays(arrays: Mapping[str, NDArray[Any]], n_columns: int) -> Roundings:
    """Return the roundings by column. ModelCorruptError when the arrays are impossible."""
    if "cut_columns" not in arrays:
        return {}
    try:
        columns, raw, stand_ins = (arrays[name] for name in ("cut_columns", "cut_raw", "cut_stand_ins"))
        found = {int(column): Rounding(raw[columns == column], stand_ins[columns == column]) for column in set(columns)}
    except (KeyError, IndexError, TypeError) as error:
        raise ModelCorruptError(
            "the forest's arrays of rounding do not fit together; release the model again"
        ) from error
    types = [str(array.dtype) for array in (columns, raw, stand_ins)] == ["int64", "float64", "float32"]
    if not types or not set(found) <= set(range(n_columns)) or not all(it.is_sound() for it in found.values()):
        raise ModelCorruptError("the forest's arrays of rounding hold impossible values; release the model again")
    return found
