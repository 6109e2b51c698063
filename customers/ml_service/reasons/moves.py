"""Why a score moved: the parts whose contributions differ between two scores of one customer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .reason_codes import MODEL
from .reasons import PROTECTED, by_part

_VISIBLE = 0.0005  # a twentieth of a percentage point


@dataclass(frozen=True, slots=True)
class Move:
    """What one part of a score gained or lost: `part` as in `reason_codes.PART_NAMES`, `points` percentage points."""

    part: str
    points: float


def moves(
    before: Sequence[float],
    before_score: float,
    after: Sequence[float],
    after_score: float,
    *,
    protected: Collection[str] = PROTECTED,
) -> tuple[Move, ...]:
    """Return what moved a score, the weightiest first; all parts together are the difference of the two scores.

    `before` and `after` are nine contributions each, in FEATURES order; those of `protected` fields are summed. What
    the base value has moved, which only another model does, counts as the model's part. Parts that moved by less than
    0.05 points are left out.
    """
    old = {**by_part(before, protected=protected), MODEL: before_score - sum(before)}
    new = {**by_part(after, protected=protected), MODEL: after_score - sum(after)}
    changes = [Move(part, 100 * (new[part] - old[part])) for part in new]
    visible = (move for move in changes if abs(move.points) >= 100 * _VISIBLE)
    return tuple(sorted(visible, key=lambda move: -abs(move.points)))
