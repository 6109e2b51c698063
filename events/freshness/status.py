"""One word for how fresh the scores are, and the reason for it. Plain values in, words out."""

from functools import partial
from typing import Literal

from customers.presentation.numbers import format_count

Status = Literal["current", "catching up", "paused", "behind", "failing"]

counted = partial(format_count, one="customer", several="customers")


def judge(
    *,
    pause: str,
    has_model: bool,
    workers_running: int,
    waiting_count: int,
    oldest_waiting_age_seconds: float,
    last_drain_seconds_ago: float | None,
    dead_letters: int,
    excluded_by_staff: int = 0,
    retries_waiting: int,
    behind_seconds: float,
) -> tuple[Status, str]:
    """The word and its reason. What a person has to see comes first.

    ``pause`` is a sentence, and empty when scoring goes on. Waiting are those who are stale and need only a worker. Of
    the ``dead_letters`` some are staff's own doing.
    """
    oldest = f"{counted(waiting_count)} waiting, the oldest for {oldest_waiting_age_seconds:.1f} s."
    waiting = oldest if waiting_count else "Nobody waits for a score."
    if pause:
        return "paused", f"{pause} {waiting}"
    if waiting_count and oldest_waiting_age_seconds > behind_seconds:
        return "behind", f"{waiting} {why_behind(has_model, workers_running, last_drain_seconds_ago)}"
    if dead_letters:
        return "failing", describe_dead_letters(dead_letters - excluded_by_staff, excluded_by_staff)
    if retries_waiting:
        return "catching up", f"{counted(retries_waiting)} failed and will be tried again."
    if waiting_count:
        return "catching up", waiting
    return "current", "Every score is the active model's answer to the fields as they are."


def describe_dead_letters(by_model: int, by_staff: int) -> str:
    """Who has excluded how many customers from scoring."""
    model = f"{counted(by_model)} set aside: the model has no answer to them."
    staff = f"{counted(by_staff)} set aside by staff."
    return " ".join(text for text, number in ((model, by_model), (staff, by_staff)) if number)


def why_behind(has_model: bool, workers_running: int, last_drain_seconds_ago: float | None) -> str:
    """Where to look when no worker drains, or drains don't help."""
    if not workers_running:
        return "No worker is running."
    if not has_model:
        return "No model has been in service yet: the worker's log says why."
    if last_drain_seconds_ago is None:
        return "No drain has ended yet: the worker's log says more."
    return f"The last drain ended {last_drain_seconds_ago:.0f} s ago: the worker's log says more."
