"""Freshness as a table for people."""

from collections.abc import Iterable, Iterator
from functools import partial

from customers.presentation.durations import format_duration
from events.freshness.answer import Coverage, Freshness, LagStep

BAR = 30

format_seconds = partial(format_duration, style="seconds")


def format_freshness(found: Freshness) -> str:
    """Words left, numbers right of them; then coverage and lag."""
    rows = [*facts(found), *coverage_rows(found), *lag_rows(found)]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {value}".rstrip() for name, value in rows)


def facts(found: Freshness) -> Iterator[tuple[str, str]]:
    oldest, drain, check = found.oldest_stale_age_seconds, found.last_drain, found.last_drift_check
    last_drain, last_check = "none yet", "not looked for yet"
    if drain:
        last_drain = (
            f"{drain.ended_seconds_ago:,.0f} s ago, {drain.stored:,} scores in {drain.took_seconds:.1f} s"
            f" by {drain.worker}"
        )
    if check:
        last_check = f"most in {check.column}: PSI {check.psi:.3f}, {check.verdict}; {check.checked_at:%Y-%m-%d %H:%M}"
    yield "status", found.status
    yield "", found.status_reason
    yield from (("warning", warning) for warning in found.warnings)
    yield "customers", f"{found.customers:,}"
    yield "objected", f"{found.objected:,}, who are not scored"
    yield "stale", f"{found.stale_count:,}{'' if oldest is None else f', the oldest for {format_seconds(oldest)}'}"
    yield "workers running", f"{found.workers_running:,}"
    yield "marks waiting", f"{found.marks_waiting:,}"
    yield "queue", f"{found.queue.waiting_jobs:,} jobs waiting, {found.queue.claimed_jobs:,} at work"
    yield "dead letters", f"{found.dead_letters:,}, and {found.retries_waiting:,} to be tried again"
    yield "last drain", last_drain
    yield "rejected results", f"{found.results_rejected_last_day:,} in 24 hours"
    yield "drift", last_check
    yield "messages", f"{found.messages_given_up:,} on alerts given up"


def coverage_rows(found: Freshness) -> Iterator[tuple[str, str]]:
    for group in found.coverage:
        share = f"{group.customers:,} ({group.customers / found.customers:.1%})"
        yield release_name(group, found), f"{share}, {group.stale_count:,} stale"


def release_name(group: Coverage, found: Freshness) -> str:
    if group.release is None:
        return "never scored"
    active = found.active_release and group.release == found.active_release.id
    return f"release {group.release}{' (active)' if active else ''}"


def lag_rows(found: Freshness) -> Iterator[tuple[str, str]]:
    lag = found.lag
    quantiles = ""
    if lag.p50_seconds is not None and lag.p99_seconds is not None:
        quantiles = f", p50 {format_seconds(lag.p50_seconds)}, p99 {format_seconds(lag.p99_seconds)}"
    yield f"lag, last {lag.window_seconds // 60} min", f"{lag.scores:,} scores{quantiles}"
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
