"""How good the stored scores turned out to be: each customer's last score before a day, against who left from then on.

Statistically honest: a score is used only if it was stored before what it foretold, and a customer only if it is known
for the whole window whether that customer left. Those who were gone before it are left out, and so are those who were
deleted without an outcome: what became of them is not known. So are customers who have objected to being scored.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from customers.import_export import outcomes
from customers.ml_service.performance import Performance, performance
from customers.models import Outcome
from customers.sql import fetch_rows

DEFAULT_DAYS = 180
DAY = timedelta(days=1)

# Each customer's last score before the window, and whether the customer left within it; null: unknown. The index on
# customer_id and id gives the last ones without a sort.
LAST_SCORES = """
WITH last AS (
    SELECT DISTINCT ON (customer_id) customer_id, score, scored_by_id
    FROM customers_scorerecord WHERE scored_at < %(begins)s
    ORDER BY customer_id, id DESC
)
SELECT last.scored_by_id, last.score, CASE
    WHEN outcome.left_on <= %(last_day)s THEN true
    WHEN outcome.left_on > %(last_day)s OR outcome.stayed_until >= %(last_day)s THEN false
    WHEN %(all_leavers_known)s AND customer.customer_id IS NOT NULL THEN false
END
FROM last
LEFT JOIN customers_outcome AS outcome USING (customer_id)
LEFT JOIN customers_customer AS customer USING (customer_id)
WHERE COALESCE(outcome.left_on >= %(first_day)s, true)
  AND last.scored_by_id = COALESCE(%(release)s, last.scored_by_id)
  AND customer.objected_at IS NULL
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


@dataclass
class Fates:
    """The scores of one release, whether their customers left, and how many more there are of unknown fate."""

    scores: list[float] = field(default_factory=list)
    left: list[bool] = field(default_factory=list)
    unknown: int = 0


@dataclass(frozen=True)
class ReleaseJudgement:
    """The scores of one release. No performance: too few left, or stayed, to judge."""

    release: int
    customers: int
    left: int
    unknown: int  # customers left out, since it is not known whether they stayed
    performance: Performance | None


@dataclass(frozen=True)
class Evaluation:
    window: Window
    judgements: list[ReleaseJudgement]


def evaluate(*, days: int = DEFAULT_DAYS, first_day: date | None = None, release: int | None = None) -> Evaluation:
    """Judge the scores as they were stored before the first day by who left within so many days from it on.

    Without a ``first_day``: the latest that has the whole window observed. Each release is judged by itself, on the
    customers whose last score was its. Raises NothingToEvaluateError.
    """
    window = window_of(days, first_day, observed_until())
    found = fates(window, release)
    if not found:
        who = f"Release {release} had given nobody's last score" if release else "Nobody had a score"
        raise NothingToEvaluateError(f"{who} before {window.first_day}; choose a later day with --as-of.")
    return Evaluation(
        window,
        [
            ReleaseJudgement(number, len(it.left), sum(it.left), it.unknown, performance(it.left, it.scores))
            for number, it in sorted(found.items())
        ],
    )


def observed_until() -> date:
    """The last day of which anything is known of those who stayed."""
    stayed = Outcome.objects.aggregate(last=Max("stayed_until"))["last"]
    known = [day for day in (outcomes.complete_until(), stayed) if day is not None]
    if not known:
        raise NothingToEvaluateError(
            "Nobody is known to have stayed. Load outcomes with manage.py import_outcomes, and say with "
            "--observed-until DATE up to when everybody who left is in the file, or have a column left in it."
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
            f"Outcomes are known until {until}: a window of {days} days can begin on {latest} at the latest. Choose an "
            "earlier --as-of, a shorter --horizon, or load newer outcomes."
        )
    if begins < timezone.localdate() - settings.HISTORY_DAYS * DAY:
        raise not_kept(f"from before {begins}")
    return Window(begins, begins + days * DAY - DAY)


def not_kept(which: str) -> NothingToEvaluateError:
    return NothingToEvaluateError(
        f"Scores {which} are not kept: history is for VIGILPAY_HISTORY_DAYS ({settings.HISTORY_DAYS}). "
        "Choose a later --as-of, or a shorter --horizon."
    )


def fates(window: Window, release: int | None) -> dict[int, Fates]:
    """What became of each release's customers."""
    complete_until = outcomes.complete_until()
    values = {
        "begins": window.begins,
        "first_day": window.first_day,
        "last_day": window.last_day,
        "all_leavers_known": complete_until is not None and complete_until >= window.last_day,
        "release": release,
    }
    found: dict[int, Fates] = defaultdict(Fates)
    for scored_by, score, left in fetch_rows(LAST_SCORES, values):
        if left is None:
            found[scored_by].unknown += 1
        else:
            found[scored_by].scores.append(score)
            found[scored_by].left.append(left)
    return found
