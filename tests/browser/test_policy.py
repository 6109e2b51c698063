"""No page of the admin does anything that the Content-Security-Policy forbids, whatever is clicked on it."""

import re
from urllib.parse import urlsplit

import pytest

from tests.others import await_that
from vigilpay.web.csp import HEADERS

ELSEWHERE = "logout|jsi18n|/r/"
MODELS = [
    *("customers/customer", "customers/scorerecord", "customers/modelrelease", "customers/scoringfailure"),
    *("customers/auditfinding", "events/pause", "events/drain", "auth/user", "auth/group"),
]
FILES_AND_VIEWS = ["/admin/login/", "/static/admin/css/base.css", "/customers/insights/", "/nothing/"]

# What an injected page would do: a script and a style that stand in it.
SMUGGLE = """() => {
    const it = document.createElement("script");
    it.textContent = "window.ran = true";
    document.body.append(it);
    document.body.insertAdjacentHTML("beforeend", "<p style='color: red'>x</p>");
}"""


@pytest.fixture
def root(visit):
    return visit("root")


def kind(address):
    """What an address is a case of: pages of one model are alike, and so are all narrowings of a list."""
    parts = urlsplit(address)
    path = re.sub(r"/\d+/|/[0-9a-f]{32}/", "/N/", parts.path)
    return path, bool(parts.query) and "/N/" not in path, "_popup" in parts.query


def links_of(page):
    """Addresses in the admin to which the page leads."""
    found = page.eval_on_selector_all("a[href]:not([download])", "links => links.map(it => it.href)")
    here = urlsplit(page.url).netloc
    places = [urlsplit(address) for address in found]
    return [
        f"{place.path}?{place.query}".rstrip("?")
        for place in places
        if place.netloc == here and place.path.startswith("/admin/") and not re.search(ELSEWHERE, place.path)
    ]


@pytest.fixture
def one_of_each(site):
    """Rows that come of trouble, so that there are pages of them."""
    site.query("INSERT INTO events_pause (id, by, reason) VALUES (1, 'ann', 'a <b>look</b>')")
    site.query(
        "INSERT INTO customers_scoringfailure (customer_id, arrived_at, version, release_id, attempts, error)"
        " SELECT customer_id, arrived_at, version, scored_by_id, 5, 'Odd <i>balance</i>.' FROM customers_customer"
        " LIMIT 1"
    )
    site.query(
        "INSERT INTO customers_auditfinding (customer_id, version, release_id, stored_score, expected_score)"
        " SELECT customer_id, version, scored_by_id, 0.5, 0.6 FROM customers_customer LIMIT 1"
    )
    yield
    for table in ("events_pause", "customers_scoringfailure", "customers_auditfinding"):
        site.query(f"DELETE FROM {table}")


def test_every_page_that_a_link_leads_to(root, one_of_each):
    waiting, seen = ["/admin/", "/admin/password_change/"], {}
    while waiting:
        address = waiting.pop()
        if kind(address) in seen:
            continue
        status = root.open(address)
        seen[kind(address)] = status
        assert root.complaints == [], address
        if status == 200:
            waiting += links_of(root.page)
    assert set(seen.values()) == {200}
    paths = {path for path, *_ in seen}
    assert {f"/admin/{model}/N/change/" for model in MODELS} <= paths


def test_the_switch_of_the_theme_turns_the_page_dark_and_light(root):
    root.open("/admin/")
    theme = root.page.locator("html")
    found = set()
    for _ in range(3):
        root.page.locator("#header .theme-toggle").click()
        found.add(theme.get_attribute("data-theme"))
    assert found == {"auto", "light", "dark"}


def test_the_list_with_its_filters_actions_and_side_bar(root):
    root.open("/admin/customers/customer/")
    root.page.locator("#toggle-nav-sidebar").click()
    for summary in root.page.locator("#changelist-filter summary").all():
        summary.press("Enter")
    root.page.locator("#action-toggle").check()
    assert re.search(r"\d+ of \d+ selected", root.text())


def test_pickers_of_date_and_time(root):
    root.open("/admin/auth/user/1/change/")
    day, time = root.page.locator("#id_last_login_0"), root.page.locator("#id_last_login_1")
    day.fill("")
    root.page.locator(".field-last_login .datetimeshortcuts a .date-icon").click()
    root.page.locator(".calendarbox:visible td:not(.nonday) a").first.click()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", day.input_value())
    time.fill("")
    root.page.locator(".field-last_login .datetimeshortcuts a .clock-icon").click()
    root.page.locator(".clockbox:visible a").first.click()
    assert time.input_value()


def test_a_window_that_adds_something_related(root):
    root.open("/admin/auth/user/1/change/")
    with root.page.expect_popup() as opened:
        root.page.locator("#add_id_groups").click()
    opened.value.fill("#id_name", "made in a window")
    opened.value.click("[name=_save]")
    await_that(lambda: opened.value.is_closed() or root.page.wait_for_timeout(50), "the window has closed")
    assert "made in a window" in root.page.locator("#id_groups_to").inner_text()


def test_what_it_forbids_does_not_happen_and_is_noticed(root):
    """Or this file would find nothing to complain of in any page."""
    root.open("/admin/")
    root.page.evaluate(SMUGGLE)
    await_that(lambda: root.page.wait_for_timeout(50) or len(root.complaints) >= 2, "the browser has complained")
    said = " ".join(root.complaints)
    assert "script-src" in said
    assert "style-src" in said
    assert root.page.evaluate("() => window.ran") is None
    root.complaints.clear()


@pytest.mark.parametrize("address", FILES_AND_VIEWS)
def test_a_real_server_sends_it_with_everything(root, site, address):
    answer = root.page.request.get(f"{site.base}{address}")
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
