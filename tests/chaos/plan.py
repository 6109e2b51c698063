"""Which faults a run has, in which order: a function of its seed."""

import random
from collections.abc import Sequence
from dataclasses import replace

from tests.chaos.faults import FAULTS, Fault
from tests.chaos.settings import SHORT, Size


def faults(seed: str, *, short: bool, only: Sequence[str] | None = None) -> list[Fault]:
    """All of them, shuffled; a short storm has those it must have and some others."""
    pick = random.Random(f"{seed}/plan")
    chosen = [fault for fault in FAULTS.values() if not only or any(part in fault.name for part in only)]
    if not chosen:
        raise SystemExit(f"No such fault. There are: {', '.join(FAULTS)}")
    if short and not only:
        must = [fault for fault in chosen if fault.short]
        others = [fault for fault in chosen if fault.short is None]
        chosen = must + pick.sample(others, (SHORT.faults or 0) - len(must))
    pick.shuffle(chosen)
    return chosen


def size(of: Size, seconds: float | None) -> Size:
    return replace(of, seconds=seconds) if seconds else of
