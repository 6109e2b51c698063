"""Are groups of customers treated alike? Their scores of today, and those of before against who left since.

Who is selected is counted on all current scores. Who was selected wrongly takes outcomes: the last scores before the
latest days whose outcomes are known, as in evaluation.py, of the release that gave most of them.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from psycopg.errors import QueryCanceled

from customers.ml_service.card.groups import named
from customers.ml_service.fairness import (
    CLASSES,
    FIELDS,
    GroupFigures,
    Groups,
    Tally,
    class_names,
    figures,
    largest_words,
)
from customers.ml_service.schema import WORD_FIELDS
from customers.models import FairnessCheck, ModelRelease
from customers.monitoring.evaluation import DEFAULT_DAYS, NothingToEvaluateError, observed_until, window_of
from customers.monitoring.window import HAS_LEFT, OUTCOMES, Window
from customers.presentation.numbers import format_percent
from customers.scoring.staleness import STALE
from customers.sql import fetch_rows, time_limit

log = logging.getLogger("vigilpay.fairness")

NOT_OBSERVED = (
    f"Outcomes are not known for a full period of {DEFAULT_DAYS} days. Only the current churn risks are compared."
)
NOT_SCORED = (
    f"No customer with a known outcome has a churn risk from before the latest {DEFAULT_DAYS} days with outcomes. Only "
    "the current churn risks are compared."
)
# Of the daily job, which may take a minute: outcomes are held against the whole history.
PATIENCE = "30s"
TOO_SLOW = "The outcomes took too long to compare. Only the current churn risks are compared."

# Each customer's groups: a word, the place of a class, or 0 and 1.
GROUPED = ", ".join(
    name
    if name in WORD_FIELDS
    else f"width_bucket({name}, ARRAY[{', '.join(map(str, CLASSES[name][1:]))}]) AS {name}"
    if name in CLASSES
    else f"{name}::int AS {name}"
    for name in FIELDS
)
BAND = "width_bucket({}, %(thresholds)s::float8[]) AS band"

# One pass: a small hash table for each field. Customers who have objected have no score, and stale ones one of before.
COUNT_CURRENT = f"""
SELECT GROUPING({", ".join(FIELDS)}), {", ".join(FIELDS)}, band, count(*), sum(score)
FROM (
    SELECT {GROUPED}, {BAND.format("churn_risk_score")}, churn_risk_score AS score
    FROM customers_customer AS customer WHERE objected_at IS NULL AND ({STALE}) IS FALSE OFFSET 0
) AS grouped
GROUP BY GROUPING SETS ({", ".join(f"({name}, band)" for name in FIELDS)})
"""

# By the values that were scored, which records of early versions do not have.
COUNT_JUDGED = f"""
WITH customer AS (
    SELECT DISTINCT ON (customer_id) customer_id, score, scored_by_id, {", ".join(FIELDS)}
    FROM customers_scorerecord WHERE scored_at < %(begins)s
    ORDER BY customer_id, id DESC
), fate AS (
    SELECT customer.*, {HAS_LEFT} AS has_left
    FROM customer {OUTCOMES}
    WHERE COALESCE(outcome.left_on >= %(first_day)s, true) AND present.objected_at IS NULL
        AND customer.scored_by_id = COALESCE(%(release)s, customer.scored_by_id)
)
SELECT scored_by_id, has_left, GROUPING({", ".join(FIELDS)}), {", ".join(FIELDS)}, band, count(*), sum(score)
FROM (
    SELECT scored_by_id, has_left, {GROUPED}, {BAND.format("score")}, score
    FROM fate WHERE has_left IS NOT NULL AND age IS NOT NULL
) AS grouped
GROUP BY GROUPING SETS ({", ".join(f"(scored_by_id, has_left, {name}, band)" for name in FIELDS)})
"""
# GROUPING's bits, the first field's the highest, are 0 for the field that a row of the answer is about.
FIELD_OF = {(1 << len(FIELDS)) - 1 - (1 << place): name for place, name in enumerate(reversed(FIELDS))}

Cells = dict[tuple[str, str], Tally]


class NothingToCheckError(Exception):
    """No customer has a current score. The message is for staff."""


@dataclass(frozen=True)
class Judged:
    """The groups by the last scores before ``first_day`` that one release gave, and who left up to ``last_day``."""

    release: int
    first_day: date
    last_day: date
    groups: Groups


@dataclass(frozen=True)
class Fairness:
    """The groups by their current scores, and as far as outcomes are known, by who left.

    ``thresholds`` are where the bank's risk bands begin; ``no_outcomes`` says why nothing is ``judged``.
    """

    release: int
    thresholds: list[float]
    customers: int
    groups: Groups
    judged: Judged | None
    no_outcomes: str = ""

    @property
    def warning(self) -> str:
        """What staff should know, in a sentence; empty where the scores of all groups are about what became of them."""
        if self.judged is None:
            return ""
        off = [describe_far(group, found) for group, found in named(self.judged.groups) if found.is_far]
        which = f"Churn risks of release {self.judged.release} do not match the share of customers who left"
        return f"{which}: {'; '.join(off)}." if off else ""


def describe_far(group: str, found: GroupFigures) -> str:
    """Of a group whose scores are off: by how much."""
    if found.mean_score is None or found.share_left is None:
        return group
    shares = f"mean churn risk {format_percent(found.mean_score)}, left {format_percent(found.share_left.share)}"
    return f"{group} ({shares}: {found.result})"


# --- measuring --------------------------------------------------------------------------------------------------------


def measure(patience: str = "0") -> Fairness:
    """Count all customers with a current score, and judge by outcomes if that does not take longer than ``patience``.

    Raises NothingToCheckError; changes nothing.
    """
    release = ModelRelease.objects.active_id()
    if release is None:
        raise NothingToCheckError("No model has been released yet.")
    groups = count_current(release)
    customers = sum(found.customers for found in groups.get("gender", {}).values())
    if not customers:
        raise NothingToCheckError(f"Release {release} has no current score yet: manage.py freshness says why.")
    judged, no_outcomes = judge_latest(patience)
    return Fairness(release, list(settings.RISK_BANDS), customers, groups, judged, no_outcomes)


def count_current(release: int) -> Groups:
    """The groups by their current scores."""
    cells: Cells = {}
    for grouping, *groups, band, customers, score_sum in fetch_rows(
        COUNT_CURRENT, {"release": release, "thresholds": list(settings.RISK_BANDS)}
    ):
        add(cells, grouping, groups, in_band(band, customers, score_sum))
    return groups_of(cells)


def judge_latest(patience: str) -> tuple[Judged | None, str]:
    """The groups by the latest outcomes, or why there are none: in words of their own, since these days are fixed."""
    try:
        until = observed_until()
    except NothingToEvaluateError:
        return None, NOT_OBSERVED
    try:
        window = window_of(DEFAULT_DAYS, None, until)
        with transaction.atomic(), connection.cursor() as cursor, time_limit(cursor, patience):
            judged = judge(window)
    except NothingToEvaluateError:  # the history does not reach back so far
        judged = None
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return None, TOO_SLOW
    return judged, "" if judged else NOT_SCORED


def judge(window: Window, release: int | None = None) -> Judged | None:
    """The groups by outcomes: of this release, else of the one that gave most of the last scores; None without any."""
    values = {**window.values(), "release": release, "thresholds": list(settings.RISK_BANDS)}
    by_release: dict[int, Cells] = defaultdict(dict)
    customers: Counter[int] = Counter()
    for scored_by, has_left, grouping, *groups, band, number, score_sum in fetch_rows(COUNT_JUDGED, values):
        add(by_release[scored_by], grouping, groups, in_band(band, number, score_sum, has_left=has_left))
        customers[scored_by] += number
    if not customers:
        return None
    most = max(customers, key=lambda scored_by: (customers[scored_by], scored_by))
    return Judged(most, window.first_day, window.last_day, groups_of(by_release[most]))


def in_band(band: int, customers: int, score_sum: float, *, has_left: bool | None = None) -> Tally:
    """A tally of customers of one band, of whom all have left, or none, or of whom that is not known."""
    bands = range(len(settings.RISK_BANDS) + 1)
    counts = [customers * (place == band) for place in bands]
    left = None if has_left is None else [count * has_left for count in counts]
    return Tally(counts, score_sum, left)


def add(cells: Cells, grouping: int, groups: Sequence[Any], counted: Tally) -> None:
    field = FIELD_OF[grouping]
    group = groups[FIELDS.index(field)]
    key = field, class_names(CLASSES[field])[group] if field in CLASSES else str(group)
    cells[key] = cells[key] + counted if key in cells else counted


def groups_of(cells: Mapping[tuple[str, str], Tally]) -> Groups:
    by_field: dict[str, dict[str, Tally]] = defaultdict(dict)
    for (field, group), counted in cells.items():
        by_field[field][group] = counted
    return {
        field: {
            group: figures(counted)
            for group, counted in (largest_words(tallies) if field in WORD_FIELDS else tallies).items()
        }
        for field, tallies in by_field.items()
    }


# --- keeping ----------------------------------------------------------------------------------------------------------


def check() -> Fairness:
    """Measure, keep the result as long as the history, and log a warning when the scores of a group are off.

    Raises NothingToCheckError.
    """
    found = measure(PATIENCE)
    judged = found.judged
    FairnessCheck.objects.create(
        release_id=found.release,
        thresholds=found.thresholds,
        customers=found.customers,
        groups=as_json(found.groups),
        no_outcomes=found.no_outcomes,
        **(
            {
                "judged_release_id": judged.release,
                "first_day": judged.first_day,
                "last_day": judged.last_day,
                "judged_groups": as_json(judged.groups),
            }
            if judged
            else {}
        ),
    )
    FairnessCheck.objects.filter(checked_at__lt=timezone.now() - timedelta(days=settings.HISTORY_DAYS)).delete()
    if found.warning:
        log.warning("%s See manage.py fairness.", found.warning)
    return found


def last_check(release_id: int) -> FairnessCheck | None:
    """The newest one of this release's current scores."""
    return FairnessCheck.objects.filter(release_id=release_id).order_by("-id").first()


def fairness_of(kept: FairnessCheck) -> Fairness:
    """What a check found."""
    judged = None
    if kept.judged_release_id is not None and kept.first_day is not None and kept.last_day is not None:
        judged = Judged(kept.judged_release_id, kept.first_day, kept.last_day, from_json(kept.judged_groups))
    return Fairness(kept.release_id, kept.thresholds, kept.customers, from_json(kept.groups), judged, kept.no_outcomes)


def as_json(groups: Groups) -> dict[str, dict[str, Any]]:
    return {field: {group: found.as_json() for group, found in of_field.items()} for field, of_field in groups.items()}


def from_json(stored: Mapping[str, Mapping[str, Any]]) -> Groups:
    return {
        field: {group: GroupFigures.from_json(found) for group, found in of_field.items()}
        for field, of_field in stored.items()
    }
