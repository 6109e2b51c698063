"""What an analyst does all day: look for who may leave, see why, correct what is wrong, and watch the score follow."""

import re

import pytest

from customers.ml_service import predict_churn
from customers.ml_service.messages import format_percent
from customers.ml_service.schema import FEATURES
from tests.others import await_that

LIST = "/admin/customers/customer/"
PERCENT = re.compile(r"(\d+\.\d)\s%")


@pytest.fixture
def analyst(visit):
    return visit("analyst")


def risks(visitor):
    return [float(PERCENT.search(cell).group(1)) for cell in visitor.column("risk")]


def sort_by_risk(visitor):
    visitor.page.click(".column-risk .text a")
    visitor.page.wait_for_url(re.compile(r"[?&]o="))


def test_the_list_comes_with_the_riskiest_on_top_and_turns_round(analyst):
    analyst.open(LIST)
    shown = risks(analyst)
    assert len(shown) > 10
    assert shown == sorted(shown, reverse=True)
    sort_by_risk(analyst)
    first = risks(analyst)
    sort_by_risk(analyst)
    second = risks(analyst)
    assert sorted([first[0] <= first[-1], second[0] <= second[-1]]) == [False, True]
    assert sorted(first) in (first, first[::-1])
    assert sorted(second) in (second, second[::-1])


def test_a_filter_leaves_those_it_names(analyst):
    analyst.open(LIST)
    analyst.page.locator("#changelist-filter details", has_text="By country").hover()
    analyst.page.locator("#changelist-filter a", has_text="Germany").click()
    analyst.page.wait_for_url(re.compile("Germany"))
    countries = analyst.column("geography")
    assert countries
    assert set(countries) == {"Germany"}


def test_an_id_finds_its_customer(analyst, site):
    [[customer]] = site.query("SELECT customer_id FROM customers_customer ORDER BY 1 LIMIT 1")
    analyst.open(LIST)
    analyst.page.fill("#searchbar", str(customer))
    analyst.page.press("#searchbar", "Enter")
    analyst.page.wait_for_url(re.compile(f"q={customer}"))
    assert analyst.page.locator("#result_list tbody tr").count() == 1


def test_an_edit_brings_another_score_other_reasons_and_a_line_of_history(analyst, site):
    [[customer]] = site.query(
        "SELECT customer_id FROM customers_customer WHERE is_active_member AND num_of_products = 2 AND age < 40"
        " ORDER BY churn_risk_score LIMIT 1"
    )
    analyst.open(f"{LIST}?q={customer}")
    analyst.page.locator("#result_list tbody th a").first.click()
    analyst.page.wait_for_selector("#id_age")
    before, asked = newest_score(analyst, customer), insights(analyst, customer)
    assert format_percent(before["score"]) in analyst.text()
    assert tells(analyst, asked["reasons"])

    analyst.page.fill("#id_age", "61")
    analyst.page.fill("#id_num_of_products", "3")
    analyst.page.uncheck("#id_is_active_member")
    analyst.page.click("[name=_continue]")
    after = await_that(lambda: newer_score(before, analyst, customer), "the score has followed")
    asked = insights(analyst, customer)
    assert after["score"] == pytest.approx(predict_churn({**fields(site, customer)}))
    assert after["score"] > before["score"] + 0.2

    analyst.open(f"{LIST}{customer}/change/")
    assert format_percent(after["score"]) in analyst.text()
    assert tells(analyst, asked["reasons"])
    assert {"AGE_RAISES", "PRODUCTS_RAISE"} & {reason["code"] for reason in asked["reasons"]}
    assert set(after["edits"][-1]["changes"]) == {"age", "num_of_products", "is_active_member"}
    assert after["edited_by"].endswith("analyst")
    analyst.open(f"{LIST}{customer}/history/")
    assert "Changed Age, Products and Active member." in analyst.text()


def newest_score(visitor, customer):
    """The newest entry of the customer's history, as the JSON view shows it."""
    return visitor.json(f"/customers/history/{customer}/")["entries"][0]


def newer_score(before, visitor, customer):
    """Once there is one that is not the score of before."""
    newest = newest_score(visitor, customer)
    return newest if newest["record"] not in (None, before["record"]) else None


def insights(visitor, customer):
    return visitor.json(f"/customers/insights/{customer}/")


def tells(visitor, reasons):
    """Whether the page names the first of these reasons."""
    return reasons[0]["text"] in visitor.text()


def fields(site, customer):
    [values] = site.query(f"SELECT {', '.join(FEATURES)} FROM customers_customer WHERE customer_id = %s", customer)
    return dict(zip(FEATURES, values, strict=True))


def test_risks_stand_out_on_the_list_and_on_the_page_of_a_customer(analyst):
    analyst.open(LIST)
    assert is_coloured(analyst.page.locator("#result_list .vp-badge").first)
    analyst.page.locator("#result_list tbody th a").first.click()
    analyst.page.wait_for_url(re.compile("/change/"))
    assert is_coloured(analyst.page.locator(".vp-badge").first)


def is_coloured(badge):
    return badge.evaluate("it => getComputedStyle(it).backgroundColor") != "rgba(0, 0, 0, 0)"
