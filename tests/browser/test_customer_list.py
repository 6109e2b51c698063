"""The list of customers on a laptop's screen and on a phone's."""

import pytest

LIST = "/admin/customers/customer/"
LAPTOP = {"viewport": {"width": 1366, "height": 768}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

IN_SIGHT = """() => [...document.querySelectorAll("#result_list tbody tr")].filter(
    row => row.getBoundingClientRect().bottom <= innerHeight).length"""
# Of the table in its box, and of the page in its window.
ROOM = """() => [document.querySelector(".results"), document.documentElement].map(
    it => it.clientWidth - it.scrollWidth)"""
# Links, fields and buttons that can be seen, apart from links within a line of text.
TARGETS = """() => [...document.querySelectorAll("#content-main :is(a, input, select, button)")]
    .filter(it => it.checkVisibility() && it.type != "hidden" && !it.closest("thead, p, .quiet, #changelist-filter ul"))
    .map(it => [it.outerHTML.slice(0, 80), it.getBoundingClientRect().height])
    .filter(([, height]) => height > 1 && height < 24)"""


@pytest.fixture(params=["light", "dark"])
def phone(visit, request):
    return visit("analyst", color_scheme=request.param, **PHONE)


def test_a_laptop_shows_thirteen_customers_with_all_columns(visit):
    analyst = visit("analyst", **LAPTOP)
    analyst.open(LIST)
    assert analyst.page.evaluate(IN_SIGHT) >= 13
    assert min(analyst.page.evaluate(ROOM)) >= 0


def test_a_phone_shows_cards_that_need_no_scrolling_inside(phone):
    phone.open(LIST)
    assert min(phone.page.evaluate(ROOM)) >= 0
    card = phone.page.locator("#result_list tbody tr").first
    assert card.bounding_box()["height"] < 80
    assert "%" in card.locator(".field-risk").inner_text()
    assert phone.page.evaluate(TARGETS) == []


def test_on_a_phone_filters_are_reached_at_once(phone):
    phone.open(LIST)
    filters = phone.page.locator("#changelist-filter details")
    assert all(one.bounding_box()["y"] < 400 for one in filters.all())
    country = filters.filter(has_text="By country")
    country.tap()
    country.locator("a", has_text="Germany").tap()
    phone.page.wait_for_url("**geography*Germany**")
    assert "Germany" in phone.page.locator("#changelist-filter details", has_text="By country").inner_text()


def test_filters_open_by_keyboard(visit):
    analyst = visit("analyst", **LAPTOP)
    analyst.open(LIST)
    band = analyst.page.locator("#changelist-filter details", has_text="By risk band")
    critical = band.locator("a", has_text="critical")
    assert not critical.is_visible()
    band.locator("summary").focus()
    assert critical.is_visible()
