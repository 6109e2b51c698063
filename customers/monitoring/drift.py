"""Are the customers still those that the model was trained on? Their shares against the reference of the release.

Drift does not say that scores are wrong: it says that the figures found in training may hold no longer.
"""

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

from django.conf import settings
from django.utils import timezone

from customers.ml_service.reference import COLUMNS, CONTINUOUS, SCORE, Intervals, Reference, Values
from customers.ml_service.stability import index_by_chance, stability_index
from customers.models import Customer, DriftCheck, ImportBatch, ModelRelease
from customers.presentation.numbers import format_money, format_percent
from customers.scoring.staleness import STALE
from customers.sql import fetch_rows

log = logging.getLogger("vigilpay.drift")

DriftVerdict = Literal["stable", "moderate shift", "major shift", "too few to tell"]
# A value that no training customer had.
OTHER = "other"
# How staff read the values of a column, where it is not a plain number or word.
FORMATS: Mapping[str, Callable[[float], str]] = {SCORE: format_percent, "balance": format_money}
FLAGS = ("has_cr_card", "is_active_member")
YES_OR_NO: Mapping[Any, str] = {0: "no", 1: "yes"}
# Beside the daily check there is one when so large a share of the customers is new, gone, or imported since the last;
# it waits until as large a share is scored by the active model, for a score that is to come can't be compared.
GROWTH = 0.1

# What each customer is counted by: the bin, or the value where each has its own. Scores that are not the active model's
# answer are left out, and so are customers who have objected to being scored.
CURRENT_SCORE = f"CASE WHEN ({STALE}) IS FALSE THEN churn_risk_score END"
BINNED = ", ".join(
    f"width_bucket(({CURRENT_SCORE if name == SCORE else name})::float8, %({name})s::float8[]) AS {name}"
    if name in CONTINUOUS
    else name
    for name in COLUMNS
)
# One scan, and one small hash table for each column: 1.3 s of a core for 1,000,000 customers. Without OFFSET 0 the
# planner looks through the sub-query, takes the bins for as many as there are balances, and sorts all customers: 1.9 s.
COUNT = f"""
SELECT GROUPING({", ".join(COLUMNS)}), {", ".join(COLUMNS)}, count(*)
FROM (SELECT {BINNED} FROM customers_customer AS customer WHERE objected_at IS NULL OFFSET 0) AS binned
GROUP BY GROUPING SETS ({", ".join(f"({name})" for name in COLUMNS)})
"""
# GROUPING's bits, the first column's the highest, are 0 for the columns that a row of the answer is about.
COLUMN_OF = {(1 << len(COLUMNS)) - 1 - (1 << place): name for place, name in enumerate(reversed(COLUMNS))}


class NothingToCompareError(Exception):
    """There is nothing to compare, or nothing to compare it with. The message is for staff."""


@dataclass(frozen=True)
class BinMove:
    """One bin: its share of the training customers, and of the present ones."""

    bin: str
    reference_share: float
    share: float


@dataclass(frozen=True)
class ColumnShift:
    """How far one column has moved: its population stability index, what that could come to by chance, and the bin
    that contributes most to it."""

    column: str
    psi: float
    by_chance: float
    moved_most: BinMove

    @property
    def verdict(self) -> DriftVerdict:
        """By the thresholds of the settings as they are now."""
        if self.psi < settings.DRIFT_WARNING:
            return "stable"
        if self.psi < self.by_chance:
            return "too few to tell"
        return "moderate shift" if self.psi < settings.DRIFT_ALARM else "major shift"


@dataclass(frozen=True)
class Drift:
    """The portfolio against one release's reference. Without a current score there is no shift of the score."""

    release: int
    reference_rows: int
    customers: int
    scores: int  # of customers who are not stale
    shifts: list[ColumnShift]

    @property
    def largest(self) -> ColumnShift:
        return max(self.shifts, key=lambda shift: shift.psi)

    @property
    def alarms(self) -> bool:
        return any(shift.verdict == "major shift" for shift in self.shifts)

    @property
    def warning(self) -> str:
        """What staff should know, in a sentence; empty when nothing has shifted."""
        shifted = [shift for shift in self.shifts if shift.verdict in ("moderate shift", "major shift")]
        shifted.sort(key=lambda shift: -shift.psi)
        listed = ", ".join(f"{column_name(shift.column)} (PSI {shift.psi:.2f}, {shift.verdict})" for shift in shifted)
        return f"The customers differ from those the model was trained on: {listed}." if listed else ""


def column_name(column: str) -> str:
    """What staff call it: the field's own name, or the score."""
    field = Customer._meta.get_field("churn_risk_score" if column == SCORE else column)
    return str(getattr(field, "verbose_name", column))


# --- measuring --------------------------------------------------------------------------------------------------------


def measure() -> Drift:
    """Compare all customers with the active release's reference. Raises NothingToCompareError; changes nothing."""
    release = ModelRelease.objects.active()
    if release is None:
        raise NothingToCompareError("No model has been released yet.")
    reference = reference_of(release)
    counts = count_bins(reference, release)
    customers = counts["age"].total()
    if not customers:
        raise NothingToCompareError("There are no customers.")
    shifts = [shift_of(name, reference.columns[name], counts[name], reference.rows) for name in COLUMNS if counts[name]]
    return Drift(release.pk, reference.rows, customers, counts[SCORE].total(), shifts)


def reference_of(release: ModelRelease) -> Reference:
    """What the release says of its training customers. NothingToCompareError when it says nothing that can be used."""
    stored = release.metadata.get("reference")
    if stored is None:
        raise NothingToCompareError(
            f"{str(release).capitalize()} has no figures of its training customers: its model.json had none. "
            "A model trained by manage.py train_model has them."
        )
    try:
        return Reference.from_metadata(stored)
    except ValueError as error:
        raise NothingToCompareError(f"The training figures of {release} cannot be used: {error}.") from None


def count_bins(reference: Reference, release: ModelRelease) -> dict[str, Counter[Hashable]]:
    """How many customers there are in each bin of each column; without a current score in none of the score."""
    edges = {name: list(found.edges) for name, found in reference.columns.items() if isinstance(found, Intervals)}
    counts: dict[str, Counter[Hashable]] = {name: Counter() for name in COLUMNS}
    for grouping, *bins, customers in fetch_rows(COUNT, {**edges, "release": release.pk}):
        name = COLUMN_OF[grouping]
        found = bins[COLUMNS.index(name)]
        if found is not None:
            counts[name][found] += customers
    return counts


def shift_of(
    name: str, reference: Intervals | Values, counts: Mapping[Hashable, int], reference_rows: int
) -> ColumnShift:
    rows = sum(counts.values())
    moves = list(moves_of(reference, bin_names(name, reference), counts, rows))
    psi = stability_index([move.reference_share for move in moves], [move.share for move in moves])
    moved_most = max(moves, key=lambda move: stability_index([move.reference_share], [move.share]))
    return ColumnShift(name, psi, index_by_chance(len(moves), reference_rows, rows), moved_most)


def bin_names(column: str, reference: Intervals | Values) -> tuple[str, ...]:
    """As staff read values of this column: risks in percent, balances in the bank's currency, flags as yes or no."""
    if isinstance(reference, Values):
        return reference.names(lambda value: YES_OR_NO[value] if column in FLAGS and value in YES_OR_NO else str(value))
    return reference.names(FORMATS.get(column, "{:,g}".format))


def moves_of(
    reference: Intervals | Values, names: Sequence[str], counts: Mapping[Hashable, int], rows: int
) -> Iterator[BinMove]:
    """Bin by bin; values that no training customer had come last, together, if there are any."""
    for found, name, share in zip(reference.bins, names, reference.shares, strict=True):
        yield BinMove(name, share, counts.get(found, 0) / rows)
    unknown = rows - sum(counts.get(found, 0) for found in reference.bins)
    if unknown:
        yield BinMove(OTHER, 0.0, unknown / rows)


# --- keeping ----------------------------------------------------------------------------------------------------------


def check() -> Drift:
    """Measure, keep the result as long as the history, and log a warning when something has shifted.

    Raises NothingToCompareError.
    """
    found = measure()
    DriftCheck.objects.create(
        release_id=found.release,
        reference_rows=found.reference_rows,
        customers=found.customers,
        scores=found.scores,
        shifts=[asdict(shift) for shift in found.shifts],
    )
    DriftCheck.objects.filter(checked_at__lt=timezone.now() - timedelta(days=settings.HISTORY_DAYS)).delete()
    if found.warning:
        log.warning("%s See manage.py drift.", found.warning)
    return found


def is_due(release_id: int | None, customers: int, stale: int) -> bool:
    """Whether a check is due before the daily one, by how many customers there are and how many are not current."""
    if release_id is None or not customers or stale > GROWTH * customers:
        return False
    release = ModelRelease.objects.get(pk=release_id)
    if release.metadata.get("reference") is None:
        return False
    last = last_check(release_id)
    if last is None:
        return True
    return max(abs(customers - last.customers), imported_since(last)) > GROWTH * last.customers


def imported_since(check: DriftCheck) -> int:
    """How many customers finished uploads have added or changed since a check."""
    finished = ImportBatch.objects.filter(state=ImportBatch.State.IMPORTED, state_since__gt=check.checked_at)
    return sum(new + changed for new, changed in finished.values_list("stored_new", "stored_changed"))


def last_check(release_id: int) -> DriftCheck | None:
    """The newest one of this release: those of former releases compared with something else."""
    return DriftCheck.objects.filter(release_id=release_id).order_by("-id").first()


def why_not_checked(release_id: int | None) -> str:
    """For staff, where there is no check of the active release."""
    if release_id is None:
        return "No model has been released yet."
    try:
        reference_of(ModelRelease.objects.get(pk=release_id))
    except NothingToCompareError as error:
        return f"Drift cannot be checked. {error}"
    return f"Release {release_id} has not been checked for drift yet. This is done daily, and after large imports."


def drift_of(kept: DriftCheck) -> Drift:
    """What a check found."""
    shifts = [ColumnShift(**{**shift, "moved_most": BinMove(**shift["moved_most"])}) for shift in kept.shifts]
    return Drift(kept.release_id, kept.reference_rows, kept.customers, kept.scores, shifts)
