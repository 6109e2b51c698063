"""How good the stored scores turned out to be: each customer's last score before a day, against who left from then on.

A score is used only if it was stored before what it predicts, and a customer only if it is known for the whole window
whether that customer left. Customers who had left before are not used, nor are those who were deleted without an
outcome, nor those who have objected to profiling.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

import numpy as np
from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from customers.import_export import outcomes
from customers.ml_service.performance import Performance, performance
from customers.models import Contact, ControlGroup, Outcome
from customers.monitoring.comparison import Comparison, compare
from customers.outreach.control import IN_CONTROL, control_values
from customers.outreach.worklist import LEAST_BAND
from customers.presentation.durations import format_day
from customers.sql import fetch_rows

DEFAULT_DAYS = 180
DAY = timedelta(days=1)

# Each customer's last score before the window, whether the customer left within it (null: unknown), is of the control
# group, and was contacted in the window before leaving. The index on customer_id and id gives the last scores without a
# sort.
LAST_SCORES = f"""
WITH last AS (
    SELECT DISTINCT ON (customer_id) customer_id, score, scored_by_id
    FROM customers_scorerecord WHERE scored_at < %(begins)s
    ORDER BY customer_id, id DESC
), first_contact AS (
    SELECT customer_id, (min(at) AT TIME ZONE %(zone)s)::date AS day
    FROM customers_contact
    WHERE at >= %(begins)s AND at < %(ends)s AND outcome <> '{Contact.Outcome.NOT_REACHED}'
    GROUP BY customer_id
)
SELECT customer.scored_by_id, customer.score, CASE
    WHEN outcome.left_on <= %(last_day)s THEN true
    WHEN outcome.left_on > %(last_day)s OR outcome.stayed_until >= %(last_day)s THEN false
    WHEN %(all_leavers_known)s AND present.customer_id IS NOT NULL THEN false
END, {IN_CONTROL}, first_contact.day IS NOT NULL AND COALESCE(first_contact.day <= outcome.left_on, true)
FROM last AS customer
LEFT JOIN customers_outcome AS outcome USING (customer_id)
LEFT JOIN customers_customer AS present USING (customer_id)
LEFT JOIN first_contact USING (customer_id)
WHERE COALESCE(outcome.left_on >= %(first_day)s, true)
  AND customer.scored_by_id = COALESCE(%(release)s, customer.scored_by_id)
  AND present.objected_at IS NULL
"""


class NothingToEvaluateError(Exception):
    """No window can be evaluated. The message is for staff, and says what to do."""


@dataclass(frozen=True)
class Window:
    """The days in which it counts whether a customer left, both included. Scores are those stored before the first."""

    first_day: date
    last_day: date

    @property
    def begins(self) -> datetime:
        return timezone.make_aware(datetime.combine(self.first_day, time.min))

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return timezone.make_aware(datetime.combine(self.last_day + DAY, time.min))


@dataclass
class Fates:
    """The scores of one release, and of each whether its customer left, is of the control group, and was contacted.

    ``unknown``: how many more customers there are of whom it is not known whether they left.
    """

    scores: list[float] = field(default_factory=list)
    left: list[bool] = field(default_factory=list)
    control: list[bool] = field(default_factory=list)
    contacted: list[bool] = field(default_factory=list)
    unknown: int = 0

    def add(self, score: float, left: bool | None, is_control: bool, contacted: bool) -> None:
        if left is None:
            self.unknown += 1
            return
        self.scores.append(score)
        self.left.append(left)
        self.control.append(is_control)
        self.contacted.append(contacted)

    def __add__(self, other: "Fates") -> "Fates":
        return Fates(
            self.scores + other.scores,
            self.left + other.left,
            self.control + other.control,
            self.contacted + other.contacted,
            self.unknown + other.unknown,
        )


@dataclass(frozen=True)
class ReleaseJudgement:
    """The scores of one release. No performance: too few left, or stayed, to judge."""

    release: int
    customers: int
    left: int
    unknown: int  # customers not used, since it is not known whether they stayed
    performance: Performance | None
    comparison: Comparison | None  # with the control group; None where the evaluation has none


@dataclass(frozen=True)
class Evaluation:
    """Each release by itself, and the customers of all of them compared with the control group.

    ``no_comparison`` says why there is no comparison, and what to do; empty where there is one.
    """

    window: Window
    judgements: list[ReleaseJudgement]
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
    no_comparison = why_not_compared(window)
    return Evaluation(
        window,
        [judge(number, found[number], is_compared=not no_comparison) for number in sorted(found)],
        None if no_comparison else comparison_of(sum(found.values(), Fates())),
        no_comparison,
    )


def judge(release: int, found: Fates, *, is_compared: bool) -> ReleaseJudgement:
    return ReleaseJudgement(
        release,
        len(found.left),
        sum(found.left),
        found.unknown,
        performance(found.left, found.scores),
        comparison_of(found) if is_compared else None,
    )


def comparison_of(found: Fates) -> Comparison:
    """Of the customers in the range of the worklist: no other has missed a contact by being in the control group."""
    flags = (np.array(it, dtype=bool) for it in (found.left, found.control, found.contacted))
    return compare(np.array(found.scores), *flags, least_score=settings.RISK_BANDS[LEAST_BAND - 1])


def why_not_compared(window: Window) -> str:
    """Why the window cannot be compared with a control group; empty where it can."""
    group = ControlGroup.objects.first()
    if group is None:
        return (
            "There is no control group, so the effect of contacts is not known. Set VIGILPAY_CONTROL_SHARE, for "
            "example to 0.05: a random 5 % of the customers is then in no worklist."
        )
    if group.since > window.begins:
        return (
            f"The control group exists since {format_day(group.since)}, and the window begins before it: the effect of "
            "contacts is not known. Choose a later --as-of."
        )
    return ""


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
    complete_until = outcomes.complete_until()
    values = {
        "begins": window.begins,
        "ends": window.ends,
        "zone": settings.TIME_ZONE,
        "first_day": window.first_day,
        "last_day": window.last_day,
        "all_leavers_known": complete_until is not None and complete_until >= window.last_day,
        "release": release,
        **control_values(ControlGroup.objects.first()),
    }
    found: dict[int, Fates] = defaultdict(Fates)
    for scored_by, *values_of_customer in fetch_rows(LAST_SCORES, values):
        found[scored_by].add(*values_of_customer)
    return found
