"""The manager's page: figures of a day, their changes, and the way to the customers behind them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.utils import timezone

from customers.models import Customer, PortfolioSnapshot
from customers.portfolio.snapshots import take_snapshot
from tests.factories import make_customer, make_scored, write_as_scorer
from tests.staff import logged_in

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/portfoliosnapshot/"
PAGE = f"{LIST}latest/change/"
CUSTOMERS = "/admin/customers/customer/"


@pytest.fixture
def ann():
    """May see the portfolio and the customers."""
    return logged_in("ann", "view_portfoliosnapshot", "view_customer")


def page_of(client, address=PAGE):
    response = client.get(address)
    assert response.status_code == 200
    page = response.content.decode()
    return page[page.index("<main") :]


def words(client):
    """What is to be read on the page, without the tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page_of(client))).replace("\N{NO-BREAK SPACE}", " ").split())


def with_score(score, value_at_risk="0.00", **fields):
    customer = make_scored(**fields)
    write_as_scorer(customer, churn_risk_score=score, value_at_risk=Decimal(value_at_risk))
    return customer


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def snapshot(days, bands=(0, 0, 0, 1), value_at_risk=0, dimension="all", group="", **more):
    at = days_ago(days)
    fields = {"thresholds": [0.25, 0.5, 0.75], "customers": sum(bands), **more}
    PortfolioSnapshot.objects.create(
        day=timezone.localdate(at),
        taken_at=at,
        dimension=dimension,
        group=group,
        bands=list(bands),
        value_at_risk=value_at_risk,
        **fields,
    )


class TestPage:
    def test_before_the_first_snapshot_it_says_when_that_comes(self, ann):
        assert "There is no snapshot yet. The workers take one each day, soon after midnight" in words(ann)

    def test_it_says_of_which_moment_its_figures_are(self, ann, settings):
        settings.TIME_ZONE = "Europe/Berlin"
        make_customer()
        with_score(0.9)
        with timezone.override("Europe/Berlin"):
            take_snapshot(at=datetime(2026, 11, 24, 23, 5, tzinfo=UTC))
            found = words(ann)
        assert "Snapshot of 25 Nov 2026, 00:05: 2 customers, 1 of them with a score." in found

    def test_a_group_has_its_customers_share_and_value(self, ann):
        with_score(0.9, "1234.40", geography="Spain")
        with_score(0.1, "0.20", geography="Spain")
        make_customer(geography="Spain")
        make_customer(geography="France")
        take_snapshot()
        found = words(ann)
        assert "Spain 3 1 50.0 % 1,235 Not available" in found
        assert "France 1 0 Not available 0 Not available" in found
        assert "All customers 4 1 50.0 % 1,235 Not available" in found
        assert "Value at risk (EUR)" in found

    def test_changes_are_since_the_snapshots_of_a_week_and_of_four_ago(self, ann):
        snapshot(0, (5, 0, 0, 5), 1000)
        snapshot(7, (6, 0, 0, 4), 1500)
        snapshot(28, (8, 0, 0, 2), 400)
        found = words(ann)
        assert "All customers 10 5 50.0 % 1,000 +10.0 points -500 +30.0 points +600" in found
        assert f"7-day change: since the snapshot of {days_ago(7).day} " in found

    def test_a_change_that_is_rounded_to_nothing_has_no_sign(self, ann):
        snapshot(0, (5, 0, 0, 5), "1000.30")
        snapshot(7, (5, 0, 0, 5), "1000.00")
        snapshot(28, (5000, 0, 0, 5001), "1000.70")
        assert "50.0 % 1,000 0.0 points 0 0.0 points 0" in words(ann)

    def test_a_week_without_a_snapshot_has_no_change(self, ann):
        snapshot(0)
        snapshot(6)
        found = words(ann)
        assert "7-day change: no snapshot is available for that date." in found
        assert "28-day change: no snapshot is available for that date." in found

    def test_shares_by_other_bands_are_not_compared(self, ann):
        snapshot(0, (5, 0, 0, 5), 1000)
        snapshot(7, (6, 0, 0, 4), 1500, thresholds=[0.1, 0.2, 0.3])
        assert "50.0 % 1,000 Not available -500" in words(ann)

    def test_new_bands_are_announced(self, ann, settings):
        snapshot(0)
        assert "The risk bands have changed since" not in words(ann)
        settings.RISK_BANDS = (0.1, 0.2, 0.3)
        assert "The risk bands have changed since this snapshot; the next one uses the new bands." in words(ann)

    def test_an_old_snapshot_says_that_none_came_since(self, ann):
        snapshot(2)
        assert "There is no newer snapshot because no worker has been running." in words(ann)

    def test_one_of_yesterday_does_not(self, ann):
        snapshot(1)
        assert "No newer snapshot" not in words(ann)

    def test_other_addresses_are_none_of_its(self, ann):
        snapshot(0)
        assert ann.get(f"{LIST}1/change/").status_code == 302  # to the index, as Django answers what does not exist
        assert ann.get(LIST)["Location"] == PAGE

    def test_without_the_right_there_is_no_page(self):
        assert logged_in("bob", "view_customer").get(PAGE).status_code == 403

    def test_nothing_can_be_changed(self, ann):
        snapshot(0)
        assert ann.post(PAGE, {}).status_code == 403
        assert ann.post(f"{LIST}latest/delete/", {"post": "yes"}).status_code == 403
        assert ann.get(f"{LIST}add/").status_code == 403


class TestLinks:
    def test_each_group_leads_to_its_customers(self, ann):
        balances = (0, Decimal("0.01"), Decimal("49999.99"), 50_000, 100_000, 150_000, 200_000)
        for number, balance in enumerate(balances):
            with_score(
                0.9 if number % 2 else 0.1,
                balance=balance,
                geography=("Spain", "France")[number % 2],
                num_of_products=1 + number % 3,
                is_active_member=number % 3 == 0,
            )
        take_snapshot()
        page = page_of(ann)
        for group in PortfolioSnapshot.objects.all():
            assert group.customers in counts_behind(ann, page, label_of(group), critical=False)
            if group.critical:
                assert group.critical in counts_behind(ann, page, label_of(group), critical=True)

    def test_more_products_than_the_list_offers_lead_to_their_customers_too(self, ann):
        with_score(0.9, num_of_products=6)
        with_score(0.9, num_of_products=1)
        take_snapshot()
        page = page_of(ann)
        assert counts_behind(ann, page, "6 products", critical=False) == [1]
        assert counts_behind(ann, page, "6 products", critical=True) == [1]

    def test_without_the_right_to_see_customers_there_are_none(self):
        with_score(0.9)
        take_snapshot()
        page = page_of(logged_in("bob", "view_portfoliosnapshot"))
        assert f'href="{CUSTOMERS}' not in page
        assert "A link opens" not in page


def label_of(group):
    words = {
        "all": "All customers",
        "active": "Active members",
        "inactive": "Inactive members",
        "none": "No balance",
        "0": "Below EUR\N{NO-BREAK SPACE}50,000",
        "50000": "EUR\N{NO-BREAK SPACE}50,000 to 100,000",
        "100000": "EUR\N{NO-BREAK SPACE}100,000 to 150,000",
        "150000": "EUR\N{NO-BREAK SPACE}150,000 or more",
    }
    if group.dimension == "products":
        return f"{group.group} product{'s' * (group.group != '1')}"
    return words.get(group.group or "all", group.group)


def counts_behind(client, page, label, *, critical):
    """How many customers the lists have to which the rows of this name lead."""
    rows = re.findall(rf'<tr><th scope="row"><a href="([^"]*)">{label}</a></th>(.*?)</tr>', page)
    assert rows, label
    addresses = [re.search(r'<a href="([^"]*)"', cells)[1] if critical else address for address, cells in rows]
    return [client.get(unescape(address)).context_data["cl"].result_count for address in addresses]


class TestBands:
    def test_each_band_has_a_line_with_its_numbers_in_words(self, ann):
        snapshot(3, (40, 3, 2, 1000))
        snapshot(0, (41, 3, 2, 1001))
        page = page_of(ann)
        assert page.count('<svg class="vp-days"') == 4
        today, then = (f"{days_ago(days).day} " for days in (0, 3))
        assert re.search(rf"<title>Critical: 1,001 customers on {today}", page)
        assert re.search(rf"<desc>1,000 on {then}[^;]*; at most 1,001. The scale begins at 0.</desc>", page)

    def test_the_table_has_a_row_for_each_day_the_newest_first(self, ann):
        snapshot(89, (1, 2, 3, 4), 5)
        snapshot(90, (9, 9, 9, 9))
        snapshot(0, (5, 6, 7, 8), 9)
        found = words(ann)
        assert re.search(r"Day Critical High Medium Low Value at risk \(EUR\) \S+ \w+ \d+ 8 7 6 5 9 ", found)
        assert re.search(r"\d{4} 4 3 2 1 5 ", found)
        assert "9 9 9 9" not in found

    def test_days_with_other_bands_are_left_out(self, ann):
        snapshot(1, (9, 9, 9, 9), thresholds=[0.1, 0.2, 0.3])
        snapshot(0)
        assert "9 9 9 9" not in words(ann)

    def test_no_script_and_no_style_of_its_own(self, ann):
        snapshot(0)
        assert not re.search(r" style=| onclick=", page_of(ann))


def test_customers_are_named_nowhere(ann):
    with_score(0.9, surname="Secret")
    take_snapshot()
    assert "Secret" not in page_of(ann)
    assert Customer.objects.count() == 1
