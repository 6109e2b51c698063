"""Four working days in the admin: each member of the staff does the day's work without leaving it."""

import re

import pytest

from tests.others import await_that

OVERVIEW = "/admin/events/overview/1/change/"
WORKLIST = "/admin/customers/worklistitem/"
CUSTOMERS = "/admin/customers/customer/"
DESK = {"width": 1366, "height": 768}
ID = re.compile(r"/customer/(\d+)/change/")


def customer_on(page):
    page.wait_for_url(ID)
    return int(ID.search(page.url).group(1))


@pytest.fixture
def empty_worklists(site):
    for table in ("customers_worklistitem", "customers_contact"):
        site.query(f"DELETE FROM {table}")


def test_the_day_of_an_agent(visit, site, empty_worklists):
    """Calls the customers with the most at risk, one after another, and records what came of it."""
    page = (agent := visit("agent", viewport=DESK)).page
    agent.open("/admin/")
    page.get_by_role("link", name="Worklist").first.click()
    page.get_by_role("button", name="Next to call").click()
    first = customer_on(page)
    [[richest]] = site.query(
        "SELECT customer_id FROM customers_customer WHERE churn_risk_score >= 0.5 "
        "ORDER BY value_at_risk DESC, customer_id DESC LIMIT 1"
    )
    assert first == richest
    assert page.locator(".vp-headline").is_visible()

    page.locator("[name$=channel]:visible").select_option("phone")
    page.locator("[name$=outcome]:visible").select_option("offer made")
    page.locator("[name$=note]:visible").fill("Second product offered.")
    page.get_by_role("button", name="Save and next").click()
    page.wait_for_url(lambda url: str(first) not in url)
    second = customer_on(page)
    assert second != first
    [contact] = site.query(
        "SELECT by, outcome, score = churn_risk_score FROM customers_contact JOIN customers_customer "
        "USING (customer_id) WHERE customer_id = %s",
        first,
    )
    assert contact == ("agent", "offer made", True)

    page.get_by_role("button", name="Snooze").click()
    page.wait_for_url(re.compile(re.escape(WORKLIST)))
    assert "snoozed until" in agent.text()
    assert site.query(
        "SELECT customer_id, snoozed_until > current_date FROM customers_worklistitem WHERE done_at IS NULL"
    ) == [(second, True)]
    agent.open(f"{CUSTOMERS}{first}/change/")
    assert "Second product offered." in agent.text()
    assert page.locator("#id_age").count() == 0, "an agent changes no data"


def test_the_day_of_an_analyst(visit, site):
    """Looks into the riskiest of a country, tries other values, corrects the data, and sees the score follow."""
    page = (analyst := visit("analyst", viewport=DESK)).page
    analyst.open(f"{CUSTOMERS}?band=critical&geography=Germany")
    page.locator("#result_list tbody th a").first.click()
    customer = customer_on(page)
    before = site.query("SELECT churn_risk_score, version FROM customers_customer WHERE customer_id = %s", customer)

    page.click("text=Try other values")
    page.fill("#what_if_num_of_products", "2")
    page.press("#what_if_num_of_products", "Enter")
    page.wait_for_selector(".vp-card")
    assert (
        site.query("SELECT churn_risk_score, version FROM customers_customer WHERE customer_id = %s", customer)
        == before
    )

    analyst.open(f"{CUSTOMERS}{customer}/change/")
    page.fill("#id_num_of_products", "2")
    page.click("[name=_save]")
    page.wait_for_selector(".messagelist .success >> text=→")
    [[score, version]] = site.query(
        "SELECT churn_risk_score, scored_version FROM customers_customer WHERE customer_id = %s", customer
    )
    assert version > before[0][1]
    assert score < before[0][0]
    analyst.open(f"{CUSTOMERS}{customer}/history/")
    assert "analyst" in analyst.text()


def test_the_day_of_a_branch_manager(visit, site):
    """Reads four figures, compares the countries, and opens the customers behind a row."""
    site.manage("take_snapshot", "--replace")
    page = (manager := visit("viewer", viewport=DESK)).page
    manager.open(OVERVIEW)
    tiles = page.locator(".vp-tiles a").all_inner_texts()
    [[critical, at_risk]] = site.query(
        "SELECT count(*) FILTER (WHERE churn_risk_score >= 0.75), round(sum(value_at_risk)) FROM customers_customer"
    )
    assert tiles[0].startswith(f"{critical:,}")
    assert f"{at_risk:,}" in tiles[1]
    page.get_by_role("link", name="Portfolio").first.click()
    page.get_by_role("link", name="Germany").first.click()
    page.wait_for_url(re.compile("geography__exact=Germany"))
    assert set(manager.column("geography")) == {"Germany"}
    site.query("DELETE FROM customers_portfoliosnapshot")


def test_the_day_of_an_operator(visit, site):
    """Sees what the workers do, pauses them, finds that no page claims to be up to date, and resumes."""
    page = (operator := visit("operator", viewport=DESK)).page
    operator.open("/admin/")
    page.get_by_role("link", name="System status").first.click()
    page.wait_for_url(re.compile("systemstatus"))
    assert page.get_by_role("table", name="Workers of the last day").locator("tbody tr").count() >= 1
    try:
        page.get_by_role("link", name="Pause scoring…").click()
        page.fill("#id_reason", "a look at the model")
        page.click("[name=_save]")
        page.wait_for_url(re.compile("systemstatus"))
        site.query("UPDATE customers_customer SET age = age + 1 WHERE age < 40")
        operator.open(OVERVIEW)
        assert "up to date" not in operator.text().lower().replace("not up to date", "")
        operator.open("/admin/events/systemstatus/1/change/")
        page.get_by_role("link", name="Resume scoring…").click()
        page.get_by_role("button", name="Resume scoring").click()
        page.wait_for_url(re.compile("systemstatus"))
    finally:
        site.query("DELETE FROM events_pause")
    site.wait_until_scored()

    def says_so():
        operator.open(OVERVIEW)
        return "All scores are up to date." in operator.text()

    await_that(says_so, "the overview says that all scores are up to date", seconds=30)
