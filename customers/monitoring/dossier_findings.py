"""What was found since a model was put into service, for its dossier: checks, outcomes, estimates and audits."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from customers.ml_service.card import Block, Table
from customers.ml_service.card.groups import EXPLANATION, calibration_table, named, rate_tables, selection_table
from customers.ml_service.performance import FEWEST, Performance
from customers.models import AuditFinding, DriftCheck, FairnessCheck, ModelRelease, ShadowRun
from customers.monitoring import drift, estimation, evaluation, fairness
from customers.monitoring.window import DAY, Window
from customers.presentation.durations import format_day, format_time
from customers.presentation.numbers import format_count, format_percent, format_points

# So many checks for drift are listed, the newest first.
NEWEST = 12


class MissingPartError(Exception):
    """There is nothing to say in a part; the message says why."""


def replaced_by(release: ModelRelease) -> ModelRelease | None:
    """The next release."""
    return ModelRelease.objects.filter(pk__gt=release.pk).defer("metadata").order_by("pk").first()


def shadow_scoring(release: ModelRelease) -> Iterator[Block]:
    """What the model would have said beside the one before it. A release that came back has the runs of its model."""
    runs = ShadowRun.objects.filter(fingerprint=release.fingerprint).order_by("pk")
    if not runs:
        raise MissingPartError("this model was not scored beside an active one.")
    for run in runs:
        ended = f"{format_time(run.stopped_at)}: {run.stop_reason}" if run.stopped_at else "in progress"
        facts = [
            ("proposal", f"{run.proposal_id}"),
            ("share of customers", format_percent(run.share)),
            ("started", f"{run.started_by}, {format_time(run.started_at)}: {run.start_reason}"),
            ("stopped", ended),
        ]
        yield Table(("fact", "value"), [*facts, *side_by_side(run.figures)])


def side_by_side(figures: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The last comparison of a run, as it is kept."""
    if figures is None:
        return [("comparison", "missing")]
    found = [
        ("compared with", f"release {figures['release']}, {format_time(datetime.fromisoformat(figures['as_of']))}"),
        ("customers compared", f"{figures['customers']:,}"),
        ("mean churn risk, active model", format_percent(figures["mean_active"])),
        ("mean churn risk, this model", format_percent(figures["mean_proposed"])),
        ("same risk band", format_percent(figures["same_band"])),
        ("different by more than 10 points", format_percent(figures["moved_far"])),
        ("mean absolute difference", format_points(100 * figures["mean_distance"]).removeprefix("+")),
        ("outcomes known", f"{figures['with_outcome']:,}, {figures['left']:,} of them left"),
    ]
    for name, side in (("active model", figures["active"]), ("this model", figures["proposed"])):
        quality = "too few outcomes to tell" if side is None else f"{side['roc_auc']:.3f} ± {side['roc_auc_error']:.3f}"
        found.append((f"ROC AUC, {name}", quality))
    return found


def drift_checks(release: ModelRelease) -> Iterator[Block]:
    checks = DriftCheck.objects.filter(release=release).order_by("-pk")
    listed = list(checks[:NEWEST])
    if not listed:
        raise MissingPartError("no drift check of this release is kept.")
    newest, found = listed[0], drift.drift_of(listed[0])
    yield (
        f"{format_count(checks.count(), 'check is', 'checks are')} kept. The newest is of "
        f"{format_time(newest.checked_at)}: "
        f"{found.customers:,} customers, {found.scores:,} of them with an up-to-date score, compared with the "
        f"{found.reference_rows:,} of the training."
    )
    yield Table(
        ("field", "PSI", "result", "largest change"),
        [
            (
                drift.column_name(it.column),
                f"{it.psi:.3f}",
                it.verdict,
                f"{it.moved_most.bin}: {format_percent(it.moved_most.reference_share)} in training, "
                f"{format_percent(it.moved_most.share)} then",
            )
            for it in sorted(found.shifts, key=lambda shift: (-shift.psi, shift.column))
        ],
    )
    yield shifts_by_day(listed)


def shifts_by_day(checks: Sequence[DriftCheck]) -> Table:
    """The largest shift that each of these checks found."""
    rows = []
    for check in checks:
        largest = drift.drift_of(check).largest
        rows.append(
            (format_time(check.checked_at), drift.column_name(largest.column), f"{largest.psi:.3f}", largest.verdict)
        )
    return Table(("checked", "largest shift", "PSI", "result"), rows)


def fairness_checks(release: ModelRelease) -> Iterator[Block]:
    checks = FairnessCheck.objects.filter(release=release).order_by("-pk")
    newest = checks.first()
    if newest is None:
        raise MissingPartError("no fairness check of this release is kept.")
    found = fairness.fairness_of(newest)
    yield (
        f"{format_count(checks.count(), 'check is', 'checks are')} kept. The newest is of "
        f"{format_time(newest.checked_at)}: "
        f"{found.customers:,} customers with an up-to-date score."
    )
    yield selection_table(named(found.groups), found.thresholds)


def outcomes(release: ModelRelease) -> Iterator[Block]:
    """How good its scores turned out to be, for all customers and for each group."""
    window = window_of(release)
    judgement = evaluation.judge(release.pk, evaluation.fates(window, release.pk)[release.pk])
    days = f"from {format_day(window.first_day)} to {format_day(window.last_day)}"
    yield (
        f"Last scores of this release before {format_day(window.first_day)}, and customers who left {days}: "
        f"{format_count(judgement.customers, 'customer', 'customers')}, {judgement.left:,} of them left; of "
        f"{judgement.unknown:,} more it is not known whether they stayed."
    )
    if judgement.performance is None:
        raise MissingPartError(
            f"too few outcomes of its scores are known ({days}): {judgement.left:,} customers who left and "
            f"{judgement.customers - judgement.left:,} who stayed; {FEWEST} of each are needed."
        )
    yield from performance(judgement.performance)
    if judged := fairness.judge(window, release.pk):
        groups = named(judged.groups)
        yield EXPLANATION
        yield calibration_table(groups)
        yield from rate_tables(groups, settings.RISK_BANDS)


def window_of(release: ModelRelease) -> Window:
    """The latest days whose outcomes are known and before which this release gave the last scores."""
    try:
        until = evaluation.observed_until()
    except evaluation.NothingToEvaluateError as error:
        raise MissingPartError(f"no outcomes. {error}") from None
    length = evaluation.DEFAULT_DAYS * DAY
    first_day: date = until - length + DAY
    if following := replaced_by(release):
        first_day = min(first_day, timezone.localdate(following.released_at))
    return Window(first_day, first_day + length - DAY)


def performance(found: Performance) -> Iterator[Block]:
    figures = [
        ("ROC AUC", f"{found.roc_auc:.4f} ± {found.roc_auc_error:.4f}"),
        ("PR AUC", f"{found.pr_auc:.4f}"),
        ("Brier score", f"{found.brier:.4f}"),
        (f"lift at {format_percent(0.1, 0)}", f"{found.lift:.2f}"),
        ("calibration error", f"{found.calibration_error:.4f}"),
    ]
    yield Table(("figure", "value"), figures)
    bins = [
        (f"{it.customers:,}", format_percent(it.mean_score), format_percent(it.share_left)) for it in found.calibration
    ]
    yield Table(("customers", "mean score", "left"), bins)


def estimated(release: ModelRelease) -> Iterator[Block]:
    """What to expect before outcomes are known."""
    if ModelRelease.objects.active_id() != release.pk:
        raise MissingPartError("only the scores of the active release can be estimated.")
    try:
        found = estimation.estimate()
    except estimation.NothingToEstimateError as error:
        raise MissingPartError(f"{error}") from None
    yield estimation.NO_CONCEPT_DRIFT
    facts = [
        ("customers with an up-to-date score", f"{found.customers:,}"),
        ("estimated ROC AUC", f"{found.roc_auc:.4f} ± {found.roc_auc_error:.4f}"),
        ("expected to leave", format_percent(found.share_leaving)),
    ]
    yield Table(("figure", "value"), facts)


def audits(release: ModelRelease) -> Iterator[Block]:
    """Wrong scores, and how many of them were replaced."""
    found = AuditFinding.objects.filter(release=release)
    repaired = found.filter(repaired_at__isnull=False).count()
    yield "Audits recompute stored scores by scikit-learn and keep what they find; how many were run is not kept."
    facts = [("wrong scores found", f"{found.count():,}"), ("of these replaced or gone", f"{repaired:,}")]
    yield Table(("figure", "value"), facts)
