"""The overview in HTML: what each of its sections holds, everything escaped."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.portfolio.distribution import Distribution
from customers.portfolio.movers import Mover, Movers
from customers.portfolio.moves import window_days
from customers.presentation.bands import BANDS, badge
from customers.presentation.durations import format_duration, format_time
from customers.presentation.histogram import histogram
from customers.presentation.numbers import format_amount, format_count, format_money, format_percent, format_points
from customers.presentation.tables import Cell, figures_table
from events.freshness.answer import Freshness
from events.freshness.status import Status, describe_unknown_words, reason_for_staff
from events.models.engine import Overview
from events.overview.figures import Figures
from events.overview.parts import link, side_by_side

STATUS_SENTENCES: dict[Status, str] = {
    "current": "All scores are up to date.",
    "catching up": "Scores are being updated.",
    "paused": "Scoring is paused.",
    "behind": "Scores are delayed.",
    "failing": "Attention needed.",
}
ALL_POSSIBLE = "All scores that the model can calculate are up to date."
MODEL_CHANGED = (
    "A new model was released after these figures were calculated; customers' scores are pending until they are "
    "updated."
)
NO_WORKER = "These figures are not being updated: no worker is running. Please inform an operator."
RECOUNTING = "A worker is updating the figures; reload this page in a moment."
NOT_KNOWN = "Not available yet"
NO_CUSTOMERS = "There are no customers yet. Add a customer, or import a file."


@dataclass(frozen=True)
class Links:
    """Where the figures lead; empty for users who may not go there."""

    customers: str = ""
    by_value: str = ""
    alerts: str = ""
    status: str = ""

    def narrowed(self, query: str) -> str:
        """The list of customers, filtered."""
        return self.customers and f"{self.customers}?{query}"


# --- on top -----------------------------------------------------------------------------------------------------------


def head_section(found: Figures, counted: Overview, now: Freshness, links: Links, *, alerts: str, is_due: bool) -> Cell:
    """The four figures; then whether scores are up to date now, and of which moment the figures are."""
    return format_html(
        "{}{}", key_figures(found, links, alerts=alerts), state_lines(found, counted, now, links, is_due=is_due)
    )


def key_figures(found: Figures, links: Links, *, alerts: str) -> SafeString:
    """Each leads to the customers, or alerts, that it counts. ``alerts`` is empty for users who may not see them."""
    newly = NOT_KNOWN if found.newly_critical is None else f"{found.newly_critical:,}"
    shown = [
        ("Critical customers", f"{found.distribution.bands[-1]:,}", links.narrowed(f"band={BANDS[-1]}")),
        ("Value at risk", format_money(sum(found.distribution.values, Decimal())), links.by_value),
        (f"Newly critical in {window_days()} days", newly, links.narrowed("change=newly_critical")),
    ]
    if alerts:
        shown.append(("Open alerts", alerts, links.alerts))
    tiles = ((tile(name, value, address),) for name, value, address in shown)
    return format_html('<ul class="vp-tiles">{}</ul>', format_html_join("", "<li>{}</li>", tiles))


def tile(name: str, value: str, address: str) -> Cell:
    return link(address, format_html('<strong>{}</strong> <span class="vp-tile-name">{}</span>', value, name))


def headline(now: Freshness) -> str:
    """The status in a sentence, which claims nothing of customers whom the model does not know."""
    return ALL_POSSIBLE if now.status == "current" and now.unknown_word_count else STATUS_SENTENCES[now.status]


def state_lines(found: Figures, counted: Overview, now: Freshness, links: Links, *, is_due: bool) -> SafeString:
    """The headline is of this moment, and never says that all is current while customers wait."""
    age = timezone.now() - counted.counted_at
    ago = f"{format_duration(age.total_seconds())} ago" if age.total_seconds() >= 1 else "just now"
    notes = [f"Figures as of {format_time(counted.counted_at)} ({ago})."]
    if now.active_release is not None and now.active_release.id != found.release:
        notes.append(MODEL_CHANGED)
    notes += describe_unknown_words([(it.word, it.customers) for it in now.unknown_words], now.unknown_word_count)
    if is_due:
        notes.append(RECOUNTING if now.workers_running else NO_WORKER)
    return format_html(
        '<p class="vp-status"><strong>{}</strong> {} {}</p><p class="vp-quiet">{}</p>',
        headline(now),
        "" if now.status == "current" else reason_for_staff(now.status_reason),
        link(links.status, "System status") if links.status else "",
        " ".join(notes),
    )


# --- customers by risk ------------------------------------------------------------------------------------------------


def risk_section(found: Figures, links: Links) -> Cell:
    spread = found.distribution
    if not spread.customers:
        return format_html("<p>{}</p>", NO_CUSTOMERS)
    head = ("Band", "Churn risk", "Customers", "Share", f"Value at risk ({settings.CURRENCY})")
    rows = [
        *band_rows(found, links),
        ("No score", "", *numbers(spread.unscored, spread.customers), ""),
        ("All", "", f"{spread.customers:,}", "", format_amount(sum(spread.values, Decimal()), cents=True)),
    ]
    drawing = histogram(spread.steps, spread.thresholds, BANDS) if spread.scored else ""
    return side_by_side(figures_table("Customers by risk band", head, rows, numbers=True), drawing)


def band_rows(found: Figures, links: Links) -> Iterator[Sequence[Cell]]:
    """The worst first: they are what the page is opened for."""
    spread = found.distribution
    edges = [0.0, *spread.thresholds, 1.0]
    for index in reversed(range(len(BANDS))):
        name = BANDS[index]
        shown = format_html('<span class="vp-badge vp-{0}">{0}</span>', name)
        bounds = f"{format_edge(edges[index])} to {format_edge(edges[index + 1])}"
        value = format_amount(spread.values[index], cents=True)
        yield link(links.narrowed(f"band={name}"), shown), bounds, *numbers_of(spread, index), value


def format_edge(share: float) -> str:
    """``75 %``, or ``12.5 %`` where a band does not end at a whole percent."""
    return format_percent(share, 0 if round(100 * share, 1).is_integer() else 1)


def numbers_of(spread: Distribution, band: int) -> tuple[str, str]:
    return numbers(spread.bands[band], spread.customers)


def numbers(part: int, of: int) -> tuple[str, str]:
    """A number of customers, and which share of all it is."""
    return f"{part:,}", format_percent(part / of) if of else ""


# --- those whose risk changed most ------------------------------------------------------------------------------------


def movers_section(found: Movers, surnames: Mapping[int, str]) -> SafeString:
    if not found.risen and not found.fallen:
        return format_html("<p>{}</p>", "No score has changed.")
    sides = (("Largest increases", found.risers), ("Largest decreases", found.fallers))
    return format_html(
        "<p>{}</p>{}",
        f"Risk rose for {count_of(found.risen)}; it fell for {f'{found.fallen:,}' if found.fallen else 'none'}.",
        side_by_side(*(moves_table(caption, side, surnames) for caption, side in sides if side)),
    )


def count_of(customers: int) -> str:
    return format_count(customers, "customer", "customers") if customers else "no customer"


def moves_table(caption: str, found: Sequence[Mover], surnames: Mapping[int, str]) -> SafeString:
    rows = [
        (
            link_to_mover(one, surnames),
            badge(one.before),
            badge(one.after),
            format_points(100 * (one.after - one.before)),
        )
        for one in found
    ]
    return figures_table(caption, ("Customer", "From", "To", "Change"), rows)


def link_to_mover(mover: Mover, surnames: Mapping[int, str]) -> Cell:
    """A link to the customer, unless the customer was deleted since the count."""
    if mover.customer_id not in surnames:
        return f"{mover.customer_id} (deleted)"
    address = reverse("admin:customers_customer_change", args=[mover.customer_id])
    return link(address, " · ".join(filter(None, (surnames[mover.customer_id], str(mover.customer_id)))))
