"""One word for how fresh the scores are, and the reason for it. Plain values in, words out."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from customers.presentation.durations import format_duration
from customers.presentation.numbers import format_count

# Programs read these words in the JSON: they stay as they are.
Status = Literal["current", "catching up", "paused", "behind", "failing"]

# What operators do, and what all others can.
START_WORKER = "start one with manage.py run_worker."
SEE_LOG = "see the worker's log."
FOR_STAFF = {f"{joint} {what}": ". Please inform an operator." for joint, what in ((":", START_WORKER), (";", SEE_LOG))}

counted = partial(format_count, one="customer", several="customers")


@dataclass(frozen=True)
class Waiting:
    """Customers who need only a worker to be scored."""

    customers: int
    oldest_seconds: float = 0.0
    is_more: bool = False  # there may be more than those counted
    is_checking: bool = False  # a check of all customers is due or under way, which may find some

    @property
    def any(self) -> bool:
        """Whether some wait, or may wait."""
        return bool(self.customers) or self.is_more or self.is_checking

    def __str__(self) -> str:
        if self.customers:
            number = f"{self.customers:,}+ customers" if self.is_more else counted(self.customers)
            return f"{number} waiting for a score; longest wait {format_duration(self.oldest_seconds)}."
        if self.is_checking:
            return "A check of all customers for changes is due."
        if self.is_more:
            return "Changes are being checked."
        return "No customer is waiting for a score."


def judge(
    *,
    pause: str,
    has_model: bool,
    workers_running: int,
    waiting: Waiting,
    last_drain_seconds_ago: float | None,
    dead_letters: int,
    excluded_by_staff: int = 0,
    of_unknown_words: int = 0,
    retries_waiting: int,
    behind_seconds: float,
) -> tuple[Status, str]:
    """The word and its reason. What a person has to see comes first.

    ``pause`` is a sentence, and empty when scoring goes on. Of the ``dead_letters`` some are staff's own doing.
    """
    if pause:
        return "paused", f"{pause} {waiting}"
    if waiting.customers and waiting.oldest_seconds > behind_seconds:
        return "behind", f"{waiting} {why_behind(has_model, workers_running, last_drain_seconds_ago)}"
    if dead_letters:
        return "failing", describe_exclusions(dead_letters - excluded_by_staff, excluded_by_staff)
    if retries_waiting:
        return "catching up", f"Scoring failed for {counted(retries_waiting)}; a retry is scheduled."
    if waiting.any:
        return "catching up", str(waiting)
    if of_unknown_words:
        waits = f"{counted(of_unknown_words)} {wait_of(of_unknown_words)} for a model that knows the country or gender"
        return "current", f"Every score that the active model can calculate is its answer to present data; {waits}."
    return "current", "Every score is the active model's answer to the customer's present data."


def describe_exclusions(by_model: int, by_staff: int) -> str:
    """Who has excluded how many customers from scoring: the model and staff are two sentences."""
    model = f"{counted(by_model)} excluded from scoring: no score could be calculated."
    staff = f"{counted(by_staff)} excluded from scoring by staff."
    return " ".join(text for text, number in ((model, by_model), (staff, by_staff)) if number)


def describe_unknown_words(words: Iterable[tuple[str, int]], customers: int) -> list[str]:
    """Who waits for another model, a sentence for each word: ``2,140 customers wait for a model that knows the country
    Italy.``

    ``customers`` is how many they are in all, with other words, too.
    """
    found, named = [], 0
    for word, number in words:
        found.append(f"{counted(number)} {wait_of(number)} for a model that knows the {word}.")
        named += number
    if others := customers - named:
        found.append(f"{counted(others)} {wait_of(others)} for a model that knows other countries or genders.")
    return found


def wait_of(customers: int) -> str:
    return "waits" if customers == 1 else "wait"


def reason_for_staff(reason: str) -> str:
    """The same reason for those who have neither a command line nor the logs."""
    for of_operators, of_staff in FOR_STAFF.items():
        reason = reason.replace(of_operators, of_staff)
    return reason


def why_behind(has_model: bool, workers_running: int, last_drain_seconds_ago: float | None) -> str:
    """Where to look when no worker drains, or drains don't help."""
    if not workers_running:
        return f"No worker is running: {START_WORKER}"
    if not has_model:
        return f"No model has been released yet; {SEE_LOG}"
    if last_drain_seconds_ago is None:
        return f"No scoring run has ended yet; {SEE_LOG}"
    return f"The last scoring run ended {format_duration(last_drain_seconds_ago)} ago; {SEE_LOG}"
