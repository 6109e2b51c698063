"""The overview: what managers and staff open first."""

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from customers.models import Customer
from events.admin.pages import CountedPage, Section, section, status_address
from events.freshness import queries
from events.models.alerts import Alert
from events.models.engine import Overview
from events.overview import counting, html
from events.overview.figures import Figures

NOT_COUNTED = "The figures are being calculated for the first time; reload this page in a moment."
TOO_MANY = (
    "Too many scores changed to determine the largest changes in time. They are calculated again with the next update."
)
# Open alerts are counted as far as this for the page.
MOST_ALERTS = 10_000


@admin.register(Overview)
class OverviewAdmin(CountedPage):
    title = "Overview"

    def sections(self, request: HttpRequest, found: Overview) -> list[Section]:
        """A user who may not see customers sees none by name."""
        if not found.figures:
            return [section(None, NOT_COUNTED)]
        figures = Figures.from_json(found.figures)
        now = queries.freshness_of(figures.portfolio, figures.lag, found.counted_at)
        links = links_for(request)
        alerts = count_open_alerts() if links.alerts else ""
        head = html.head_section(figures, found, now, links, alerts=alerts, is_due=counting.is_due(found))
        return [
            section(None, head),
            section("Customers by risk", html.risk_section(figures, links)),
            *(movers_sections(figures) if links.customers and figures.distribution.customers else []),
        ]


def links_for(request: HttpRequest) -> html.Links:
    """Where the figures lead, as far as the user may go there."""
    may = request.user.has_perm
    customers = reverse("admin:customers_customer_changelist") if may("customers.view_customer") else ""
    return html.Links(
        customers=customers,
        by_value=customers and f"{customers}{order_by(request, 'value_at_risk')}",
        alerts=f"{reverse('admin:events_alert_changelist')}?state=open" if may("events.view_alert") else "",
        status=status_address(request),
    )


def order_by(request: HttpRequest, field: str) -> str:
    """The query of the list of customers, ordered by this field, largest first; empty where no column shows it.

    Django numbers the columns as they are shown: the boxes to tick come first where there are actions.
    """
    page = admin.site.get_model_admin(Customer)
    columns = [getattr(getattr(page, str(name), None), "admin_order_field", name) for name in page.list_display]
    if field not in columns:
        return ""
    return f"?o=-{columns.index(field) + (1 if page.get_actions(request) else 0)}"


def count_open_alerts() -> str:
    """As the list of alerts shows them."""
    found = Alert.objects.open().not_objected()[: MOST_ALERTS + 1].count()
    return f"{found:,}" if found <= MOST_ALERTS else f"{MOST_ALERTS:,}+"


def movers_sections(figures: Figures) -> list[Section]:
    if not figures.movers:
        return [section("Largest changes", TOO_MANY)]
    ids = {one.customer_id for window in figures.movers for one in [*window.risers, *window.fallers]}
    customers = list(Customer.objects.filter(pk__in=ids).only("surname", "objected_at"))  # those still there
    surnames = {customer.pk: customer.surname for customer in customers}
    objected = {customer.pk for customer in customers if customer.objected_at is not None}  # since the count
    return [
        section(
            f"Largest changes in the last {'day' if window.days == 1 else f'{window.days} days'}",
            html.movers_section(window.without(objected), surnames),
        )
        for window in figures.movers
    ]
