"""The overview in HTML: what each of its sections holds, everything escaped."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from customers.portfolio.distribution import Distribution
from customers.portfolio.movers import Mover, Movers
from customers.presentation.bands import BANDS, badge
from customers.presentation.histogram import histogram
from events.freshness import table as freshness_table
from events.freshness.answer import Freshness
from events.freshness.status import Status
from events.models.engine import Overview

Cell = str | SafeString

STATUS_SENTENCES: dict[Status, str] = {
    "current": "All scores are current,",
    "catching up": "The workers are catching up,",
    "paused": "Scoring is paused,",
    "behind": "The workers are behind,",
    "failing": "Some customers have no score,",
}
MODEL_CHANGED = "another model has become active since the customers were counted; their scores are stale."
NO_WORKER = "No worker is running to count them anew: start one with manage.py qcluster."
RECOUNTING = "A worker is counting them anew: load this page again in a moment."


def state_section(found: Overview, now: Freshness, *, is_due: bool) -> SafeString:
    """In a word and a sentence, with what a person has to see; then of which moment that is."""
    seconds = max(0.0, (timezone.now() - found.counted_at).total_seconds())
    ago = f"{seconds:.0f} s ago" if seconds < 60 else f"{timesince(found.counted_at)} ago"
    warnings = now.warnings
    if now.active_release is not None and now.active_release.id != found.figures["release"]:
        warnings = [MODEL_CHANGED, *warnings]
    recount = (RECOUNTING if now.workers_running else NO_WORKER) if is_due else ""
    return format_html(
        '<p class="vp-status"><strong>{}</strong> {}</p><p>{}</p>{}<p>{}</p>',
        STATUS_SENTENCES[now.status],
        f"as of {found.counted_at:%Y-%m-%d %H:%M:%S} UTC, {ago}",
        now.status_reason,
        format_html_join("", "<p>Warning: {}</p>", ((text,) for text in warnings)),
        recount,
    )


# --- customers by risk ------------------------------------------------------------------------------------------------


def risk_section(found: Distribution, *, with_links: bool) -> SafeString:
    if not found.customers:
        return format_html("<p>{}</p>", "There are no customers yet. Add one, or import a file of them.")
    drawing = histogram(found.steps, found.thresholds, BANDS) if found.scored else ""
    rows = [*band_rows(found, with_links), ("not scored yet", "", *numbers(found.unscored, found.customers))]
    return format_html("{}{}", drawing, table("Customers by band", ("Band", "Churn risk", "Customers", "Share"), rows))


def band_rows(found: Distribution, with_links: bool) -> Iterator[Sequence[Cell]]:
    """The worst first: they are what the page is opened for."""
    edges = [0.0, *found.thresholds, 1.0]
    page = reverse("admin:customers_customer_changelist")
    for index in reversed(range(len(BANDS))):
        name = BANDS[index]
        shown = format_html('<span class="vp-badge vp-{0}">{0}</span>', name)
        if with_links:
            shown = format_html('<a href="{}?band={}">{}</a>', page, name, shown)
        yield shown, f"{edges[index]:.0%} to {edges[index + 1]:.0%}", *numbers(found.bands[index], found.customers)


def numbers(part: int, of: int) -> tuple[str, str]:
    return f"{part:,}", f"{part / of:.1%}" if of else ""


# --- movers -----------------------------------------------------------------------------------------------------------


def movers_section(found: Movers, surnames: Mapping[int, str]) -> SafeString:
    if not found.risen and not found.fallen:
        return format_html("<p>{}</p>", "No score has changed.")
    return format_html(
        '<p>{}</p><div class="vp-columns">{}{}</div>',
        f"The risk of {found.risen:,} customers rose, that of {found.fallen:,} fell. Those who moved most:",
        moves_table("Risen", found.risers, surnames),
        moves_table("Fallen", found.fallers, surnames),
    )


def moves_table(caption: str, found: Sequence[Mover], surnames: Mapping[int, str]) -> SafeString:
    if not found:
        return format_html("<p>{}</p>", f"{caption}: nobody.")
    rows = [
        (link_to_mover(one, surnames), badge(one.before), badge(one.after), f"{100 * (one.after - one.before):+.1f}")
        for one in found
    ]
    return table(caption, ("Customer", "From", "To", "Points"), rows)


def link_to_mover(mover: Mover, surnames: Mapping[int, str]) -> SafeString:
    """A link to the customer, unless the customer was deleted since the count."""
    if mover.customer_id not in surnames:
        return format_html("{} (deleted since)", mover.customer_id)
    address = reverse("admin:customers_customer_change", args=[mover.customer_id])
    return format_html('<a href="{}">{}</a>', address, f"{mover.customer_id} {surnames[mover.customer_id]}".strip())


# --- freshness and health ---------------------------------------------------------------------------------------------


def freshness_section(now: Freshness) -> SafeString:
    wanted = (
        *("stale", "objected", "workers running", "marks waiting", "queue", "dead letters", "last drain"),
        "rejected results",
    )
    facts = dict(freshness_table.facts(now))
    engine = [*((name.capitalize(), facts[name]) for name in wanted), ("Drift", facts["drift"])]
    by_model = [
        (
            freshness_table.release_name(group, now).capitalize(),
            *numbers(group.customers, now.customers),
            f"{group.stale_count:,}",
        )
        for group in now.coverage
    ]
    return format_html(
        '<div class="vp-columns">{}{}{}</div>',
        table("Engine", (), engine),
        table("Customers by model", ("Scored by", "Customers", "Share", "Stale"), by_model),
        lag_table(now),
    )


def lag_table(now: Freshness) -> SafeString:
    minutes = now.lag.window_seconds // 60
    quantiles = (("Half of them within", now.lag.p50_seconds), ("99 % within", now.lag.p99_seconds))
    rows = [
        (f"Scores of the last {minutes} minutes", f"{now.lag.scores:,}"),
        *((name, freshness_table.format_seconds(seconds)) for name, seconds in quantiles if seconds is not None),
        *((f"… {name}", f"{scores:,}") for name, scores in freshness_table.steps(now.lag.histogram)),
    ]
    return table("From edit to score", (), rows)


# --- tables -----------------------------------------------------------------------------------------------------------


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> SafeString:
    """The first cell of a row names it. Without a ``head`` it has none."""
    names = format_html_join("", '<th scope="col">{}</th>', ((name,) for name in head))
    return format_html(
        '<div class="vp-wide"><table class="vp-figures"><caption>{}</caption>{}<tbody>{}</tbody></table></div>',
        caption,
        format_html("<thead><tr>{}</tr></thead>", names) if head else "",
        format_html_join(
            "",
            '<tr><th scope="row">{}</th>{}</tr>',
            ((name, format_html_join("", "<td>{}</td>", ((cell,) for cell in cells))) for name, *cells in rows),
        ),
    )
