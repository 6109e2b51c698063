"""The portfolio in front of a browser: nothing is clipped, each row leads to its customers."""

import re

import pytest

PAGE = "/admin/customers/portfoliosnapshot/"
# Days before today, with figures that come and go.
FORMER_DAYS = """
INSERT INTO customers_portfoliosnapshot (day, taken_at, dimension, "group", customers, bands, thresholds, value_at_risk)
SELECT day - ago, taken_at - ago * interval '1 day', dimension, "group", customers,
    ARRAY[bands[1] + ago %% 7, bands[2] + ago %% 5, bands[3], greatest(bands[4] - ago %% 4, 0)], thresholds,
    value_at_risk + ago * 1000
FROM customers_portfoliosnapshot, generate_series(1, 100) AS ago WHERE ago NOT BETWEEN 40 AND 44
"""


@pytest.fixture
def snapshots(site):
    """One of today, taken by the product itself, and made-up ones before it."""
    site.manage("take_snapshot", "--replace")
    site.query(FORMER_DAYS)
    yield
    site.query("DELETE FROM customers_portfoliosnapshot")


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
def test_nothing_is_clipped(visit, snapshots, width, height):
    root = visit("root", viewport={"width": width, "height": height})
    assert root.open(PAGE) == 200
    assert root.page.evaluate("document.documentElement.scrollWidth") <= width
    assert root.page.locator("svg.vp-days").count() == 4
    for picture in root.page.locator("svg.vp-days").all():
        box = picture.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert root.page.locator("h1").count() <= 2  # the site's name and the page's
    for cell in root.page.locator("table:visible td").all():
        box = cell.bounding_box()
        assert box["x"] + box["width"] <= width


def test_a_row_leads_to_its_customers(visit, snapshots, site):
    root = visit("root", viewport={"width": 1366, "height": 768})
    root.open(PAGE)
    row = root.page.locator("tr", has=root.page.get_by_role("link", name="Spain"))
    number = int(row.locator("td").first.inner_text().replace(",", ""))
    assert site.query("SELECT count(*) FROM customers_customer WHERE geography = 'Spain'") == [(number,)]
    root.page.get_by_role("link", name="Spain").click()
    root.page.wait_for_url(re.compile("geography"))
    assert f"{number} " in root.page.locator(".paginator").inner_text()


def test_the_numbers_of_the_lines_open_as_a_table(visit, snapshots):
    root = visit("root", viewport={"width": 1366, "height": 768})
    root.open(PAGE)
    table = root.page.locator("details table")
    assert not table.is_visible()
    root.page.locator("details summary").click()
    assert table.is_visible()
    assert table.locator("tbody tr").count() == 90 - 5
