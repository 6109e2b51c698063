"""Freshness as a table for people."""

from collections.abc import Iterable, Iterator
from functools import partial

from customers.presentation.durations import format_duration
from events.freshness.queries import Coverage, Freshness, LagStep

BAR = 30

duration = partial(format_duration, style="seconds")


def table_of(found: Freshness) -> str:
    """Words left, numbers right of them; then coverage and lag."""
    rows = [*facts(found), *coverage(found), *lag(found)]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {said}".rstrip() for name, said in rows)


def facts(found: Freshness) -> Iterator[tuple[str, str]]:
    yield "status", found.status
    yield "", found.status_reason
    yield from (("warning", warning) for warning in found.warnings)
    yield "customers", f"{found.customers:,}"
    yield "stale", f"{found.stale_count:,}{age(', the oldest for ', found.oldest_stale_age_seconds)}"
    yield "workers running", f"{found.workers_running:,}"
    yield "marks waiting", f"{found.marks_waiting:,}"
    yield "queue", f"{found.queue.waiting_jobs:,} jobs waiting, {found.queue.claimed_jobs:,} at work"
    yield "dead letters", f"{found.dead_letters:,}, and {found.retries_waiting:,} to be tried again"
    yield "last drain", last_drain(found)
    yield "rejected results", f"{found.results_rejected_last_day:,} in 24 hours"
    yield "drift", drift(found)
    yield "messages", f"{found.messages_given_up:,} on alerts given up"


def last_drain(found: Freshness) -> str:
    drain = found.last_drain
    if drain is None:
        return "none yet"
    return (
        f"{drain.ended_seconds_ago:,.0f} s ago, {drain.stored:,} scores in {drain.took_seconds:.1f} s by {drain.worker}"
    )


def drift(found: Freshness) -> str:
    check = found.last_drift_check
    if check is None:
        return "not looked for yet"
    return f"most in {check.column}: PSI {check.psi:.3f}, {check.verdict}; {check.checked_at:%Y-%m-%d %H:%M}"


def coverage(found: Freshness) -> Iterator[tuple[str, str]]:
    for group in found.coverage:
        yield release_name(group, found), f"{share(group.customers, found.customers)}, {group.stale_count:,} stale"


def release_name(group: Coverage, found: Freshness) -> str:
    if group.release is None:
        return "never scored"
    active = found.active_release and group.release == found.active_release.id
    return f"release {group.release}{' (active)' if active else ''}"


def lag(found: Freshness) -> Iterator[tuple[str, str]]:
    minutes = found.lag.window_seconds // 60
    yield f"lag, last {minutes} min", f"{found.lag.scores:,} scores{lag_in_words(found)}"
    for name, scores in steps(found.lag.histogram):
        yield f"  {name}", f"{scores:>9,} {'#' * round(BAR * scores / (found.lag.scores or 1))}".rstrip()


def lag_in_words(found: Freshness) -> str:
    half, most = found.lag.p50_seconds, found.lag.p99_seconds
    return "" if half is None or most is None else f", p50 {duration(half)}, p99 {duration(most)}"


def steps(histogram: Iterable[LagStep]) -> Iterator[tuple[str, int]]:
    """Each step by itself, not with those before it, and only where there is something."""
    before, last = 0, "0 s"
    for step in histogram:
        name = f"more than {last}" if step.within_seconds is None else f"up to {duration(step.within_seconds)}"
        if step.scores > before:
            yield name, step.scores - before
        before, last = step.scores, duration(step.within_seconds or 0)


def share(customers: int, of: int) -> str:
    return f"{customers:,} ({customers / of:.1%})"


def age(prefix: str, seconds: float | None) -> str:
    return "" if seconds is None else f"{prefix}{duration(seconds)}"
