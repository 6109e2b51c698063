"""The operator's page in HTML: the engine, the model and the customers it can't score, everything escaped."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.models import Exclusion, ModelRelease, ScoringFailure
from customers.monitoring.drift import ColumnShift, Drift, column_name
from customers.presentation.durations import format_duration, format_time
from customers.presentation.numbers import format_percent
from customers.presentation.tables import Cell, figures_table
from events.freshness import table as freshness_table
from events.freshness.answer import Freshness
from events.freshness.workers import WorkerState
from events.models.engine import Drain
from events.overview.html import headline, numbers
from events.overview.parts import link, side_by_side

BOX = '<p><a class="vp-button" href="{}">{}</a></p>'


def status_section(now: Freshness, button: Cell) -> Cell:
    """The state of this moment in a word and a sentence, then what a person should look into."""
    return format_html(
        '<p class="vp-status"><strong>{}</strong> {}</p>{}{}',
        headline(now),
        now.status_reason,
        format_html_join("", "<p>Warning: {}</p>", ((text,) for text in now.warnings)),
        button,
    )


def pause_button(now: Freshness, *, may_pause: bool, may_resume: bool) -> Cell:
    """Each leads to a page that asks."""
    if now.paused and may_resume:
        return format_html(BOX, reverse("admin:events_pause_change", args=["1"]), "Resume scoring…")
    if not now.paused and may_pause:
        return format_html(BOX, reverse("admin:events_pause_add"), "Pause scoring…")
    return ""


# --- the engine -------------------------------------------------------------------------------------------------------


def workers_section(found: Sequence[WorkerState]) -> Cell:
    if not found:
        return format_html(
            "<p>{}</p>", "No worker has been running in the last day: start one with manage.py run_worker."
        )
    rows = ((one.name, one.host, format_time(one.started_at), heartbeat_of(one), state_of(one)) for one in found)
    return figures_table("Workers of the last day", ("Worker", "Host", "Started", "Last heartbeat", "State"), rows)


def heartbeat_of(worker: WorkerState) -> str:
    if worker.heartbeat_seconds is None:
        return "none yet"
    return f"{format_duration(max(1.0, worker.heartbeat_seconds))} ago"


def state_of(worker: WorkerState) -> str:
    if not worker.is_running:
        return "Not running"
    return "Running" if worker.at_work_seconds is None else f"Working for {format_duration(worker.at_work_seconds)}"


def queue_section(now: Freshness, runs: Iterable[Drain], counted_at: datetime) -> Cell:
    """What waits, what was done lately, and how long customers wait for a score."""
    waiting = [
        ("Changes waiting", f"{now.marks_waiting:,}"),
        ("Jobs waiting", f"{now.queue.waiting_jobs:,}"),
        ("Jobs in progress", f"{now.queue.claimed_jobs:,}"),
        ("Scores discarded in 24 hours", f"{now.results_rejected_last_day:,}"),
        ("Alert messages not sent", f"{now.messages_given_up:,}"),
    ]
    by_model = [
        (
            freshness_table.release_name(group, now).capitalize(),
            *numbers(group.customers, now.customers),
            f"{group.stale_count:,}",
        )
        for group in now.coverage
    ]
    objected = [("Objected to profiling", *numbers(now.objected, now.customers), "")] if now.objected else []
    head = ("Scored by", "Customers", "Share", "Not up to date")
    return side_by_side(
        figures_table("Queue", (), waiting, numbers=True),
        figures_table(
            f"Customers by model release, as of {format_time(counted_at)}", head, [*by_model, *objected], numbers=True
        ),
        lag_table(now),
        runs_table(runs),
    )


def runs_table(runs: Iterable[Drain]) -> Cell:
    rows = [
        (
            link(reverse("admin:events_drain_change", args=[run.pk]), format_time(run.ended_at, seconds=True)),
            format_duration((run.ended_at - run.started_at).total_seconds(), "seconds"),
            f"{run.stored:,}",
            run.worker,
        )
        for run in runs
    ]
    if not rows:
        return format_html("<p>{}</p>", "No scoring run in the last 7 days.")
    return figures_table("Latest scoring runs", ("Ended", "Duration", "Scores", "Worker"), rows)


def lag_table(now: Freshness) -> SafeString:
    lag = now.lag
    quantiles = (("50 % within", lag.p50_seconds), ("99 % within", lag.p99_seconds))
    rows = [
        (f"Scores in the last {lag.window_seconds // 60} minutes", f"{lag.scores:,}"),
        *((name, freshness_table.format_seconds(seconds)) for name, seconds in quantiles if seconds is not None),
        *((name.capitalize(), f"{scores:,}") for name, scores in freshness_table.steps(lag.histogram)),
    ]
    return figures_table("Time from change to score", (), rows, numbers=True)


# --- the model --------------------------------------------------------------------------------------------------------


def drift_section(found: Drift | None, checked_at: datetime | None, why_not: str) -> Cell:
    """The newest check of the active release; without one, why there is none."""
    if found is None or checked_at is None:
        return format_html("<p>{}</p>", why_not)
    ranked = sorted(found.shifts, key=lambda shift: -shift.psi)
    return format_html(
        "<p>{}</p>{}",
        f"Checked on {format_time(checked_at)}: {found.customers:,} customers, {found.scores:,} of them with a current "
        f"score, compared with the {found.reference_rows:,} that release {found.release} was trained on.",
        figures_table("Drift by field", ("Field", "PSI", "Result", "Largest change"), map(drift_row, ranked)),
    )


def drift_row(shift: ColumnShift) -> Sequence[Cell]:
    moved = shift.moved_most
    shares = f"{format_percent(moved.reference_share)} in training, {format_percent(moved.share)} now"
    name = column_name(shift.column)
    return f"{name[0].upper()}{name[1:]}", f"{shift.psi:.3f}", shift.verdict.capitalize(), f"{moved.bin}: {shares}"


def releases_section(found: Iterable[ModelRelease], active: int | None) -> Cell:
    rows = [
        (
            link(reverse("admin:customers_modelrelease_change", args=[release.pk]), f"Release {release.pk}"),
            "Active" if release.pk == active else "",
            format_time(release.released_at),
            release.note,
        )
        for release in found
    ]
    if not rows:
        return format_html("<p>{}</p>", "No model has been released yet.")
    everything = link(reverse("admin:customers_modelrelease_changelist"), "All model releases")
    head = ("Release", "State", "Released", "Note")
    return format_html("{}<p>{}</p>", figures_table("Latest model releases", head, rows), everything)


# --- customers who are not scored -------------------------------------------------------------------------------------


def excluded_section(now: Freshness, newest: Iterable[ScoringFailure], *, may_see_customers: bool) -> Cell:
    """How many, for which reason, and the newest of them."""
    page = reverse("admin:customers_scoringfailure_changelist")
    by_model = now.dead_letters - now.excluded_by_staff
    counts = [
        (link(f"{page}?state=excluded&reason__exact={reason}", name), f"{number:,}")
        for reason, name, number in (
            (Exclusion.MODEL, Exclusion.MODEL.label, by_model),
            (Exclusion.PERSON, Exclusion.PERSON.label, now.excluded_by_staff),
            (Exclusion.WORD, Exclusion.WORD.label, now.unknown_word_count),
        )
    ]
    counts.append((link(f"{page}?state=retry", "Retry scheduled"), f"{now.retries_waiting:,}"))
    return side_by_side(
        figures_table("Excluded from scoring", (), counts, numbers=True), newest_table(newest, may_see_customers)
    )


def newest_table(newest: Iterable[ScoringFailure], may_see_customers: bool) -> Cell:
    rows = list(failure_rows(newest, may_see_customers))
    return figures_table("Latest", ("Customer", "Reason", "Details", "Since"), rows) if rows else ""


def failure_rows(newest: Iterable[ScoringFailure], may_see_customers: bool) -> Iterator[Sequence[Cell]]:
    for failure in newest:
        address = reverse("admin:customers_customer_change", args=[failure.customer_id]) if may_see_customers else ""
        shown = (Exclusion(failure.reason).label, failure.error, format_time(failure.last_failed_at))
        yield link(address, str(failure.customer_id)), *shown
