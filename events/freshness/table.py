"""Freshness as a table for operators."""

from collections.abc import Iterable, Iterator
from functools import partial

from customers.monitoring.drift import column_name
from customers.presentation.durations import format_duration, format_time
from customers.presentation.numbers import format_count, format_percent
from events.freshness.answer import Coverage, Freshness, LagStep, LastDrain, LastDriftCheck

BAR = 30

format_seconds = partial(format_duration, style="seconds")


def format_freshness(found: Freshness) -> str:
    """Words left, numbers right of them; then coverage and lag."""
    rows = [*facts(found), *coverage_rows(found), *lag_rows(found)]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {value}".rstrip() for name, value in rows)


def facts(found: Freshness) -> Iterator[tuple[str, str]]:
    oldest = found.oldest_stale_age_seconds
    yield "status", found.status
    yield "", found.status_reason
    yield from (("warning", warning) for warning in found.warnings)
    yield "customers", f"{found.customers:,}"
    yield "objected to profiling", f"{found.objected:,}"
    wait = "" if oldest is None else f"; longest wait {format_seconds(oldest)}"
    yield "not up to date", f"{found.stale_count:,}{wait}"
    yield "workers running", f"{found.workers_running:,}"
    yield "changes waiting", f"{found.marks_waiting:,}"
    jobs = format_count(found.queue.waiting_jobs, "job", "jobs")
    yield "queue", f"{jobs} waiting, {found.queue.claimed_jobs:,} at work"
    yield "excluded from scoring", f"{found.dead_letters:,}; retry scheduled for {found.retries_waiting:,}"
    yield "country or gender not known", f"{found.unknown_word_count:,}"
    yield "last scoring run", describe_run(found.last_drain)
    yield "discarded scores", f"{found.results_rejected_last_day:,} in 24 hours"
    yield "drift", describe_drift(found.last_drift_check)
    yield "alert messages", f"{found.messages_given_up:,} not sent"


def describe_run(run: LastDrain | None) -> str:
    if run is None:
        return "none yet"
    ago, took = format_duration(run.ended_seconds_ago), format_seconds(run.took_seconds)
    return f"ended {ago} ago, {format_count(run.stored, 'score', 'scores')} in {took} by {run.worker}"


def describe_drift(check: LastDriftCheck | None) -> str:
    if check is None:
        return "the active model has not been checked"
    largest = f"largest in {column_name(check.column)}: PSI {check.psi:.3f}, {check.verdict}"
    return f"{largest}; checked on {format_time(check.checked_at)}"


def coverage_rows(found: Freshness) -> Iterator[tuple[str, str]]:
    for group in found.coverage:
        share = f"{group.customers:,} ({format_percent(group.customers / found.customers)})"
        yield release_name(group, found), f"{share}, {group.stale_count:,} not up to date"


def release_name(group: Coverage, found: Freshness) -> str:
    if group.release is None:
        return "no score"
    active = found.active_release and group.release == found.active_release.id
    return f"release {group.release}{' (active)' if active else ''}"


def lag_rows(found: Freshness) -> Iterator[tuple[str, str]]:
    lag = found.lag
    quantiles = ""
    if lag.p50_seconds is not None and lag.p99_seconds is not None:
        quantiles = f", half within {format_seconds(lag.p50_seconds)}, 99 % within {format_seconds(lag.p99_seconds)}"
    yield f"score delay, last {lag.window_seconds // 60} min", f"{lag.scores:,} scores{quantiles}"
    for name, scores in steps(lag.histogram):
        yield f"  {name}", f"{scores:>9,} {'#' * round(BAR * scores / (lag.scores or 1))}".rstrip()


def steps(histogram: Iterable[LagStep]) -> Iterator[tuple[str, int]]:
    """Each step by itself, not with those before it, and only where there is something."""
    before, last = 0, "0 s"
    for step in histogram:
        name = f"more than {last}" if step.within_seconds is None else f"up to {format_seconds(step.within_seconds)}"
        if step.scores > before:
            yield name, step.scores - before
        before, last = step.scores, format_seconds(step.within_seconds or 0)
