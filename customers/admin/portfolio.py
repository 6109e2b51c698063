"""The portfolio: how the risk of all customers, and of groups of them, stands and has changed; it only reads."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.admin.customer_list.filters import MOST_PRODUCTS
from customers.admin.read_only import Section, SectionsPage, section
from customers.ml_service.messages import NO_BREAK
from customers.models import PortfolioSnapshot
from customers.portfolio import snapshots
from customers.presentation.bands import BANDS
from customers.presentation.durations import format_day, format_time
from customers.presentation.lines import OnDay, line
from customers.presentation.numbers import (
    format_amount,
    format_count,
    format_money,
    format_percent,
    format_points,
    format_signed,
)
from customers.presentation.tables import grouped_table

Dimension = PortfolioSnapshot.Dimension

LINE_DAYS = 90
COMPARED_DAYS = (7, 28)
UNKNOWN = "Not available"

NO_SNAPSHOT = (
    "There is no snapshot yet. The workers take one each day, soon after midnight, and the first one within "
    "15 minutes of their start, once there are customers."
)
LINKS_ARE_LIVE = "A link opens the customers of that group as they are now."
ABSENT_FROM_LISTS = "Customers who have objected to profiling are included here but do not appear in lists by risk."


@admin.register(PortfolioSnapshot)
class PortfolioAdmin(SectionsPage):
    title = "Portfolio"
    the_only_one = "latest"

    def shown(self) -> PortfolioSnapshot:
        """Nothing of its own: the page is about all groups of the newest day."""
        return PortfolioSnapshot()

    def sections(self, request: HttpRequest, found: PortfolioSnapshot) -> list[Section]:
        day = snapshots.latest_day()
        if day is None:
            return [section(None, NO_SNAPSHOT)]
        return list(sections(day, with_links=request.user.has_perm("customers.view_customer")))


def sections(day: date, *, with_links: bool) -> Iterator[Section]:
    """The page from top to bottom."""
    groups = snapshots.snapshot_of(day)
    former = [Former.of(day, days) for days in COMPARED_DAYS]
    yield section(None, introduction(groups, former, with_links=with_links))
    yield section("Customers by group", group_table(groups, former, with_links=with_links))
    begins = day - timedelta(days=LINE_DAYS - 1)
    # Days with other thresholds counted other bands.
    alike = [it for it in snapshots.whole_portfolio(begins) if it.thresholds == groups[0].thresholds]
    yield section(f"Customers in each risk band, last {LINE_DAYS} days", band_lines(alike, begins, day))
    yield section("The same figures as a table", band_table(alike), is_closed=True)


class Former:
    """An earlier snapshot to compare with, which may be missing."""

    def __init__(self, days: int, day: date | None) -> None:
        self.days, self.day = days, day
        self.groups = {(it.dimension, it.group): it for it in snapshots.snapshot_of(day)}

    @classmethod
    def of(cls, day: date, days: int) -> "Former":
        return cls(days, snapshots.day_before(day, days))

    def same_group(self, group: PortfolioSnapshot) -> PortfolioSnapshot | None:
        return self.groups.get((group.dimension, group.group))


def introduction(groups: Sequence[PortfolioSnapshot], former: Sequence[Former], *, with_links: bool) -> SafeString:
    whole = groups[0]
    lines = [
        f"Snapshot of {format_time(whole.taken_at)}: {format_count(whole.customers, 'customer', 'customers')}, "
        f"{whole.scored:,} of them with a score. Shares are of customers with a score.",
        " ".join(describe_comparison(it) for it in former),
        *([f"{LINKS_ARE_LIVE} {ABSENT_FROM_LISTS}"] if with_links else []),
    ]
    if whole.day < timezone.localdate() - timedelta(days=1):
        lines.insert(1, "There is no newer snapshot because no worker has been running. Please inform an operator.")
    if whole.thresholds != list(settings.RISK_BANDS):
        lines.insert(1, "The risk bands have changed since this snapshot; the next one uses the new bands.")
    return format_html_join("", "<p>{}</p>", ((text,) for text in lines))


def describe_comparison(former: Former) -> str:
    if former.day is None:
        return f"{former.days}-day change: no snapshot is available for that date."
    return f"{former.days}-day change: since the snapshot of {format_day(former.day)}."


def group_table(groups: Sequence[PortfolioSnapshot], former: Sequence[Former], *, with_links: bool) -> SafeString:
    by_dimension = (
        (
            "" if dimension == Dimension.ALL else dimension.label,
            [row(it, former, with_links=with_links) for it in groups if it.dimension == dimension],
        )
        for dimension in Dimension
    )
    return grouped_table("Customers, critical customers, value at risk and their changes", head(former), by_dimension)


def head(former: Sequence[Former]) -> list[str]:
    money = f"Value at risk ({settings.CURRENCY})"
    changes = [
        name
        for it in former
        for name in (
            f"Share critical, {it.days}-day change",
            f"Value at risk, {it.days}-day change ({settings.CURRENCY})",
        )
    ]
    return ["Group", "Customers", "Critical", "Share critical", money, *changes]


def row(group: PortfolioSnapshot, former: Sequence[Former], *, with_links: bool) -> list[str | SafeString]:
    name, address = label(group), list_address(group) if with_links else None
    share = group.share_critical
    return [
        link(name, address),
        f"{group.customers:,}",
        link(f"{group.critical:,}", list_address(group, band=BANDS[-1]) if address and group.critical else None),
        UNKNOWN if share is None else format_percent(share),
        format_amount(group.value_at_risk),
        *(cell for it in former for cell in changes(group, it.same_group(group))),
    ]


def changes(group: PortfolioSnapshot, before: PortfolioSnapshot | None) -> tuple[str, str]:
    """Of the share of critical customers, and of the value at risk."""
    if before is None:
        return UNKNOWN, UNKNOWN
    share, share_before = group.share_critical, before.share_critical
    # Under other thresholds another share was critical; the value at risk does not depend on them.
    is_comparable = share is not None and share_before is not None and group.thresholds == before.thresholds
    points = format_points(100 * (share - share_before)) if is_comparable else UNKNOWN  # type: ignore[operator]
    return points, format_signed(group.value_at_risk - before.value_at_risk)


def link(text: str, address: str | None) -> str | SafeString:
    return format_html('<a href="{}">{}</a>', address, text) if address else text


# --- groups -----------------------------------------------------------------------------------------------------------


def label(group: PortfolioSnapshot) -> str:
    match group.dimension:
        case Dimension.ALL:
            return "All customers"
        case Dimension.PRODUCTS:
            return format_count(int(group.group), "product", "products")
        case Dimension.ACTIVITY:
            return {"active": "Active members", "inactive": "Inactive members"}[group.group]
        case Dimension.BALANCE:
            return describe_balances(group.group)
    return group.group


def describe_balances(group: str) -> str:
    lower, upper = snapshots.bounds_of_balance(group)
    if lower is None:
        return "No balance"
    if upper is None:
        return f"{format_money(lower)} or more"
    return f"{format_money(lower)} to {format_amount(upper)}" if lower else f"Below {format_money(upper)}"


def list_address(group: PortfolioSnapshot, **more: str) -> str:
    """The list of customers with the filters of this group."""
    filters = {**conditions(group), **more}
    page = reverse("admin:customers_customer_changelist")
    return f"{page}?{urlencode(filters)}" if filters else page


def conditions(group: PortfolioSnapshot) -> dict[str, str]:
    match group.dimension:
        case Dimension.COUNTRY:
            return {"geography__exact": group.group}
        case Dimension.PRODUCTS:
            is_offered = int(group.group) <= MOST_PRODUCTS  # by the list's own filter
            return {"num_of_products" if is_offered else "num_of_products__exact": group.group}
        case Dimension.ACTIVITY:
            return {"is_active_member__exact": str(int(group.group == "active"))}
        case Dimension.BALANCE:
            return balance_conditions(group.group)
    return {}


def balance_conditions(group: str) -> dict[str, str]:
    lower, upper = snapshots.bounds_of_balance(group)
    if lower is None:
        return {"balance__lte": "0"}
    return {"balance__gte" if lower else "balance__gt": str(lower)} | ({"balance__lt": str(upper)} if upper else {})


# --- bands over time --------------------------------------------------------------------------------------------------


def band_lines(days: Sequence[PortfolioSnapshot], begins: date, ends: date) -> SafeString:
    drawings = (
        line(name.capitalize(), "customers", [OnDay(it.day, it.bands[place]) for it in days], begins, ends)
        for place, name in reversed(list(enumerate(BANDS)))
    )
    return format_html(
        '<div class="vp-columns">{}</div>', format_html_join("", "{}", ((drawing,) for drawing in drawings))
    )


def band_table(days: Sequence[PortfolioSnapshot]) -> SafeString:
    names = [name.capitalize() for name in reversed(BANDS)]
    rows = [
        [format_day(it.day), *(f"{number:,}" for number in reversed(it.bands)), format_amount(it.value_at_risk)]
        for it in reversed(days)
    ]
    money = f"Value at risk{NO_BREAK}({settings.CURRENCY})"
    return grouped_table("Customers in each risk band", ["Day", *names, money], [("", rows)])
