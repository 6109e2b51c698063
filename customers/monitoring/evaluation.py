"""How good the stored scores turned out to be: each customer's last score before a day, against who left from then on.

A score is used only if it was stored before what it predicts, and a customer only if it is known for the whole window
whether that customer left. Customers who had left before are not used, nor are those who were deleted without an
outcome, nor those who have objected to profiling.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from customers.import_export import outcomes
from customers.ml_service.performance import Performance, performance
from customers.models import ControlGroup, Outcome
from customers.monitoring.assignment import compare_assigned, compared_days, why_not_compared
from customers.monitoring.comparison import Comparison
from customers.monitoring.window import DAY, HAS_LEFT, OUTCOMES, Window
from customers.presentation.durations import format_day
from customers.sql import fetch_rows

DEFAULT_DAYS = 180

# Each customer's last score before the window, and whether the customer left within it (null: unknown). The index on
# customer_id and id gives the last scores without a sort.
LAST_SCORES = f"""
WITH customer AS (
    SELECT DISTINCT ON (customer_id) customer_id, score, scored_by_id
    FROM customers_scorerecord WHERE scored_at < %(begins)s
    ORDER BY customer_id, id DESC
)
SELECT customer.scored_by_id, customer.score, {HAS_LEFT}
FROM customer {OUTCOMES}
WHERE COALESCE(outcome.left_on >= %(first_day)s, true)
  AND customer.scored_by_id = COALESCE(%(release)s, customer.scored_by_id)
  AND present.objected_at IS NULL
"""


class NothingToEvaluateError(Exception):
    """No window can be evaluated. The message is for staff, and says what to do."""


@dataclass
class Fates:
    """The scores of one release, and of each whether its customer left.

    ``unknown``: how many more customers there are of whom it is not known whether they left.
    """

    scores: list[float] = field(default_factory=list)
    left: list[bool] = field(default_factory=list)
    unknown: int = 0

    def add(self, score: float, left: bool | None) -> None:
        if left is None:
            self.unknown += 1
            return
        self.scores.append(score)
        self.left.append(left)


@dataclass(frozen=True)
class ReleaseJudgement:
    """The scores of one release. No performance: too few left, or stayed, to judge."""

    release: int
    customers: int
    left: int
    unknown: int  # customers not used, since it is not known whether they stayed
    performance: Performance | None


@dataclass(frozen=True)
class Evaluation:
    """Each release by itself, and all customers compared with the control group, by the days of ``compared``.

    ``no_comparison`` says why there is no comparison, and what to do; empty where there is one.
    """

    window: Window
    judgements: list[ReleaseJudgement]
    compared: Window | None
    comparison: Comparison | None
    no_comparison: str


def evaluate(*, days: int = DEFAULT_DAYS, first_day: date | None = None, release: int | None = None) -> Evaluation:
    """Judge the scores as they were stored before the first day by who left within so many days from it on.

    Without a ``first_day``: the latest that has the whole window observed. Each release is judged by itself, on the
    customers whose last score was its. Raises NothingToEvaluateError.
    """
    window = window_of(days, first_day, observed_until())
    found = fates(window, release)
    if not found:
        who = f"Release {release} gave no customer's last score" if release else "No customer had a score"
        raise NothingToEvaluateError(f"{who} before {format_day(window.first_day)}: choose a later day with --as-of.")
    judgements = [judge(number, found[number]) for number in sorted(found)]
    group = ControlGroup.objects.first()
    no_comparison = why_not_compared(group, window)
    if group is None or no_comparison:
        return Evaluation(window, judgements, None, None, no_comparison)
    return Evaluation(window, judgements, compared_days(group, window), compare_assigned(group, window), "")


def judge(release: int, found: Fates) -> ReleaseJudgement:
    performed = performance(found.left, found.scores)
    return ReleaseJudgement(release, len(found.left), sum(found.left), found.unknown, performed)


def observed_until() -> date:
    """The last day of which it is known that customers stayed."""
    stayed = Outcome.objects.aggregate(last=Max("stayed_until"))["last"]
    known = [day for day in (outcomes.complete_until(), stayed) if day is not None]
    if not known:
        raise NothingToEvaluateError(
            "No customer is known to have stayed. Load outcomes with manage.py import_outcomes: state with "
            "--observed-until DATE up to which day the file has all customers who left, or give it a column left."
        )
    return max(known)


def window_of(days: int, first_day: date | None, until: date) -> Window:
    """A window that has ended, and whose scores are still in the history."""
    # A window that is longer than the history has no scores before it; a far longer one is beyond the calendar.
    if days > settings.HISTORY_DAYS:
        raise not_kept(f"from {days} days ago")
    latest = until - days * DAY + DAY
    begins = first_day or latest
    if begins > latest:
        raise NothingToEvaluateError(
            f"Outcomes are known until {format_day(until)}: a window of {days} days can begin on {format_day(latest)} "
            "at the latest. Choose an earlier --as-of, a shorter --horizon, or load newer outcomes."
        )
    if begins < timezone.localdate() - settings.HISTORY_DAYS * DAY:
        raise not_kept(f"from before {format_day(begins)}")
    return Window(begins, begins + days * DAY - DAY)


def not_kept(which: str) -> NothingToEvaluateError:
    return NothingToEvaluateError(
        f"Scores {which} are not kept: VIGILPAY_HISTORY_DAYS is {settings.HISTORY_DAYS}. "
        "Choose a later --as-of, or a shorter --horizon."
    )


def fates(window: Window, release: int | None) -> dict[int, Fates]:
    """What is known of each release's customers."""
    values = {**window.values(), "release": release}
    found: dict[int, Fates] = defaultdict(Fates)
    for scored_by, *values_of_customer in fetch_rows(LAST_SCORES, values):
        found[scored_by].add(*values_of_customer)
    return found
