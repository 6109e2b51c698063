"""What a manager and an operator open first: four figures that lead on, and the state of the engine."""

import os
import re

import pytest

OVERVIEW = "/admin/events/overview/1/change/"
STATUS = "/admin/events/systemstatus/1/change/"
RELEASES = "/admin/customers/modelrelease/"
SIZES = {"desk": {"width": 1366, "height": 768}, "phone": {"width": 390, "height": 844}}
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
CUT = """() => [...document.querySelectorAll('#result_list tbody :is(td, th)')].filter(
    it => it.scrollWidth > it.clientWidth + 1 || it.getBoundingClientRect().right > innerWidth).length"""


def shoot(page, name):
    """For those who look at pages: into the folder of this variable, if there is one."""
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize("size", SIZES)
def test_pages_fit_the_window_and_nothing_is_cut(visit, size):
    operator = visit("operator", viewport=SIZES[size])
    for address, name in ((OVERVIEW, "overview"), (STATUS, "status"), (RELEASES, "releases")):
        assert operator.open(address) == 200
        shoot(operator.page, f"{name}-{size}")
        assert operator.page.evaluate(OVERFLOW) <= 0, address
        assert operator.page.evaluate(CUT) == 0, address


def test_the_overview_begins_with_four_figures_that_lead_to_what_they_count(visit, site):
    viewer = visit("viewer")
    viewer.open(OVERVIEW)
    tiles = viewer.page.locator(".vp-tiles a")
    assert tiles.count() == 4
    [[critical]] = site.query("SELECT count(*) FROM customers_customer WHERE churn_risk_score >= 0.75")
    assert tiles.first.inner_text().split()[0] == f"{critical:,}"
    tiles.first.click()
    viewer.page.wait_for_url(re.compile("band=critical"))
    assert f"{critical} customer" in viewer.text()


def test_an_operator_pauses_and_resumes_by_a_button_that_asks(visit, site):
    operator = visit("operator")
    try:
        operator.open(STATUS)
        operator.page.get_by_role("link", name="Pause scoring…").click()
        operator.page.fill("#id_reason", "a look at the model")
        operator.page.click("[name=_save]")
        operator.page.wait_for_url(re.compile("systemstatus"))
        assert "by operator: a look at the model." in operator.text()
        operator.page.get_by_role("link", name="Resume scoring…").click()
        operator.page.wait_for_url(re.compile("pause/1/change"))
        assert "Resume scoring?" in operator.text()
        shoot(operator.page, "resume")
        operator.page.get_by_role("button", name="Resume scoring").click()
        operator.page.wait_for_url(re.compile("systemstatus"))
        assert "Scoring resumed." in operator.text()
        assert site.query("SELECT count(*) FROM events_pause") == [(0,)]
    finally:
        site.query("DELETE FROM events_pause")
