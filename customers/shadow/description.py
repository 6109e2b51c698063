"""How staff read of shadow scoring: on the page of a proposal and in a terminal."""

from collections.abc import Iterator

from customers.models import ShadowRun
from customers.portfolio.movers import Mover
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count, format_percent, format_points
from customers.shadow.comparison import Quality, SideBySide

TOO_FEW = "too few outcomes to tell"


def describe_state(run: ShadowRun) -> str:
    """Whether it goes on, on whom, by whom and why."""
    by, why = run.started_by, run.start_reason.rstrip(".")
    share = f"Share: {format_percent(run.share)} of all customers."
    started = f"{share} Started on {format_time(run.started_at)} by {by}: {why}."
    if run.stopped_at is None:
        return f"In progress. {started} {describe_pass(run)}"
    who = f" by {run.stopped_by}" if run.stopped_by else ""
    return f"Stopped on {format_time(run.stopped_at)}{who}: {run.stop_reason.rstrip('.')}. {started}"


def describe_pass(run: ShadowRun) -> str:
    """How far the scores of a run have come that goes on."""
    if run.swept_at is None:
        return "Scoring of these customers is not complete yet."
    unscored = format_count(run.unscored, "customer", "customers")
    rest = f" The proposed model could not score {unscored}." if run.unscored else ""
    return f"Complete since {format_time(run.swept_at)}. Later changes are scored as they occur.{rest}"


def describe_agreement(found: SideBySide) -> Iterator[tuple[str, str]]:
    """Names and figures."""
    yield "Customers compared", format_count(found.customers, "customer", "customers")
    yield "Same risk band", format_percent(found.same_band)
    yield "Mean churn risk, active model", format_percent(found.mean_active)
    yield "Mean churn risk, proposed model", format_percent(found.mean_proposed)
    yield "Mean absolute difference", format_points(100 * found.mean_distance).removeprefix("+")
    yield "Different by more than 10 points", format_percent(found.moved_far)
    yield "Correlation", "not known" if found.correlation is None else f"{found.correlation:.3f}"
    for percent, change in found.quantiles.items():
        yield f"Difference at percentile {percent}", format_points(100 * change)


def describe_quality(found: SideBySide) -> Iterator[tuple[str, str, str]]:
    """Names, and the figures of the active and of the proposed model on the customers whose outcome is known."""
    known = f"{format_count(found.with_outcome, 'customer', 'customers')}, {found.left:,} of them left"
    yield "Outcomes", known, known
    for name, attribute in (
        ("ROC AUC", "roc_auc"),
        ("Standard error of the ROC AUC", "roc_auc_error"),
        ("Calibration error", "calibration_error"),
        ("Brier score", "brier"),
    ):
        yield name, figure(found.active, attribute), figure(found.proposed, attribute)


def figure(quality: Quality | None, attribute: str) -> str:
    return TOO_FEW if quality is None else f"{getattr(quality, attribute):.3f}"


def describe_movers(movers: list[Mover]) -> Iterator[tuple[str, str, str, str]]:
    """Customer, the two risks, and the difference."""
    for it in movers:
        risks = format_percent(it.before), format_percent(it.after)
        yield (str(it.customer_id), *risks, format_points(100 * (it.after - it.before)))
