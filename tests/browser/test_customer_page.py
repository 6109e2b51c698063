"""The page of one customer as staff use it: by key and by mouse, at a desk and on a phone."""

import re

import pytest

CUSTOMERS = "/admin/customers/customer/"
DESK, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
SIZES = pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
STORED = "SELECT * FROM customers_customer WHERE customer_id = %s"
# Which elements that hold text reach beyond the window, or are cut off by what is around them.
CLIPPED = """() => [...document.querySelectorAll("#content *")].filter(it => {
    const box = it.getBoundingClientRect();
    const shown = box.width > 1 && box.height > 1 && getComputedStyle(it).visibility === "visible";
    const moves = it.closest(".vp-wide");  // may be moved by finger, or by key
    return shown && !moves && !it.closest("svg") && (box.right > innerWidth + 1 || box.left < -1);
}).map(it => `${it.tagName}.${it.className} ${it.textContent.trim().slice(0, 40)}`)"""
# Words of the trend that reach out of the picture, or into the next words of their line.
OUTSIDE = """() => {
    const svg = document.querySelector(".vp-trend");
    const [, , width, height] = svg.getAttribute("viewBox").split(" ");
    const boxes = [...svg.querySelectorAll(":scope > text")].map(it => [it.textContent, it.getBBox()]);
    const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
    return boxes.filter(([, a]) => a.x < 0 || a.x + a.width > +width || a.y + a.height > +height
                                   || boxes.some(([, b]) => a !== b && meet(a, b))).map(([words]) => words);
}"""
IN_SIGHT = """it => {
    const box = it.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth;
}"""


@pytest.fixture
def customer(site):
    """Edited, and scored since, so that there is something to tell."""
    [[found]] = site.query("SELECT customer_id FROM customers_customer WHERE age < 60 ORDER BY balance DESC LIMIT 1")
    site.query(
        "UPDATE customers_customer SET age = age + 1, num_of_products = 4, is_active_member = NOT is_active_member"
        " WHERE customer_id = %s",
        found,
    )
    site.wait_until_scored()
    return found


def what_if(visitor, customer):
    assert visitor.open(f"{CUSTOMERS}{customer}/change/") == 200
    visitor.page.click("text=Try other values")
    visitor.page.wait_for_url(re.compile("/what-if/$"))


@pytest.mark.parametrize("role", ["analyst", "viewer"])
def test_enter_in_a_field_of_the_what_if_asks_and_stores_nothing(visit, site, customer, role):
    visitor = visit(role)
    before = site.query(STORED, customer)
    logged = site.query("SELECT count(*) FROM django_admin_log")
    what_if(visitor, customer)
    values = {"credit_score": "512", "age": "71", "tenure": "9", "balance": "12.50", "num_of_products": "1"}
    for name, value in values.items():
        what_if(visitor, customer)
        visitor.page.fill(f"#what_if_{name}", value)
        visitor.page.press(f"#what_if_{name}", "Enter")
        visitor.page.wait_for_selector(".vp-card")
        assert "Estimate from past customers" in visitor.text()
        assert site.query(STORED, customer) == before, name
    what_if(visitor, customer)
    visitor.page.fill("#what_if_geography", "Spain")
    visitor.page.press("#what_if_geography", "Enter")
    visitor.page.press("#what_if_has_cr_card", "Space")
    visitor.page.press("#what_if_has_cr_card", "Enter")
    visitor.page.wait_for_selector(".vp-card")
    visitor.page.fill("#what_if_age", "72")
    visitor.page.click("text=Calculate risk")
    visitor.page.wait_for_selector(".vp-card >> text=72")
    assert site.query(STORED, customer) == before
    assert site.query("SELECT count(*) FROM django_admin_log") == logged


@pytest.fixture
def on_the_worklist(site, customer):
    """With buttons of the worklist on the page, too."""
    site.query("INSERT INTO customers_worklistitem (customer_id, claimed_by) VALUES (%s, 'analyst')", customer)
    yield
    site.query("DELETE FROM customers_worklistitem WHERE customer_id = %s", customer)


@pytest.mark.usefixtures("on_the_worklist")
def test_enter_in_a_field_of_the_data_saves(visit, site, customer):
    analyst = visit("analyst")
    analyst.open(f"{CUSTOMERS}{customer}/change/")
    analyst.page.fill("#id_credit_score", "555")
    analyst.page.press("#id_credit_score", "Enter")
    analyst.page.wait_for_selector(".messagelist .success")
    assert site.query("SELECT credit_score FROM customers_customer WHERE customer_id = %s", customer) == [(555,)]


@SIZES
def test_after_a_refused_save_what_is_wrong_is_in_sight(visit, customer, viewport):
    analyst = visit("analyst", viewport=viewport)
    analyst.open(f"{CUSTOMERS}{customer}/change/")
    analyst.page.fill("#id_age", "7")
    analyst.page.click("[name=_save]")
    analyst.page.wait_for_selector(".errornote")
    assert analyst.page.evaluate("document.activeElement.id") == "id_age"
    for what in (".errornote", ".errorlist.nonfield a", "#id_age", "#id_age_error"):
        assert analyst.page.locator(what).first.evaluate(IN_SIGHT), what


@SIZES
def test_nothing_is_cut_off(visit, customer, viewport):
    analyst = visit("analyst", viewport=viewport)
    for page in ("change", "what-if", "history"):
        analyst.open(f"{CUSTOMERS}{customer}/{page}/")
        assert analyst.page.evaluate(CLIPPED) == [], page
        assert analyst.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page
        assert analyst.page.locator("h1").count() == 1
    analyst.open(f"{CUSTOMERS}{customer}/change/")
    assert analyst.page.evaluate(OUTSIDE) == []


def test_score_reasons_and_offers_stand_above_the_data(visit, customer):
    analyst = visit("analyst", viewport=DESK)
    analyst.open(f"{CUSTOMERS}{customer}/change/")
    places = [
        analyst.page.locator(it).first.bounding_box()["y"]
        for it in (
            ".vp-headline",
            ".vp-reasons",
            ".field-suggestions",
            ".vp-trend",
            ".vp-story",
            "#id_age",
            "[name=_save]",
        )
    ]
    assert places == sorted(places)
    assert analyst.page.locator(".vp-headline").evaluate(IN_SIGHT)
    assert analyst.page.locator(".vp-reasons").evaluate(IN_SIGHT)
    assert not analyst.page.locator(".field-version").is_visible()
