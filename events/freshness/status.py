"""One word for how fresh the scores are, and the reason for it. Plain values in, words out."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from customers.presentation.numbers import format_count

Status = Literal["current", "catching up", "paused", "behind", "failing"]

counted = partial(format_count, one="customer", several="customers")


@dataclass(frozen=True)
class Facts:
    """What the word depends on. Waiting: stale, and nothing but a worker is needed."""

    pause: str  # in words; empty when scoring goes on
    has_model: bool
    workers_running: int
    waiting_count: int
    oldest_waiting_age_seconds: float | None
    last_drain_seconds_ago: float | None
    dead_letters: int
    retries_waiting: int


def judge(facts: Facts, behind_seconds: float) -> tuple[Status, str]:
    """The word and its reason. What a person has to see comes first."""
    age = facts.oldest_waiting_age_seconds or 0.0
    if facts.pause:
        return "paused", f"{facts.pause} {waiting(facts)}"
    if facts.waiting_count and age > behind_seconds:
        return "behind", f"{waiting(facts)} {where_to_look(facts)}"
    if facts.dead_letters:
        return "failing", f"{counted(facts.dead_letters)} set aside: the model has no answer to them."
    if facts.retries_waiting:
        return "catching up", f"{counted(facts.retries_waiting)} failed and will be tried again."
    if facts.waiting_count:
        return "catching up", waiting(facts)
    return "current", "Every score is the active model's answer to the fields as they are."


def waiting(facts: Facts) -> str:
    if not facts.waiting_count:
        return "Nobody waits for a score."
    return f"{counted(facts.waiting_count)} waiting, the oldest for {facts.oldest_waiting_age_seconds or 0:.1f} s."


def where_to_look(facts: Facts) -> str:
    """When nobody drains, or drains don't help."""
    if not facts.workers_running:
        return "No worker is running."
    if not facts.has_model:
        return "No model has been in service yet: the worker's log says why."
    if facts.last_drain_seconds_ago is None:
        return "No drain has ended yet: the worker's log says more."
    return f"The last drain ended {facts.last_drain_seconds_ago:.0f} s ago: the worker's log says more."
