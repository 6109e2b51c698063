"""No column is cut off, and no page is wider than its window, at 1366 px and on a phone."""

import pytest

WINDOWS = {"1366": {"width": 1366, "height": 900}, "390": {"width": 390, "height": 844}}
PAGES = {
    "alerts": ("analyst", "/admin/events/alert/"),
    "alert": ("analyst", "/admin/events/alert/{alert}/change/"),
    "alert rules": ("root", "/admin/events/alertrule/"),
    "alert rule": ("root", "/admin/events/alertrule/{rule}/change/"),
    "messages": ("root", "/admin/events/delivery/"),
    "imports": ("analyst", "/admin/customers/importbatch/"),
    "import": ("analyst", "/admin/customers/importbatch/{batch}/change/"),
}
# What holds more than it shows; the page itself is one.
TOO_WIDE = """() => [document.documentElement, ...document.querySelectorAll(".results, .readonly, #result_list td")]
    .filter(it => it.scrollWidth > it.clientWidth + 1 && getComputedStyle(it).display !== "inline")
    .map(it => `${it.tagName} ${it.className}: ${it.scrollWidth} > ${it.clientWidth}`)"""


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off(visit, rows, name, window):
    person, address = PAGES[name]
    visitor = visit(person, viewport=WINDOWS[window])
    assert visitor.open(address.format(**rows)) == 200
    assert visitor.page.evaluate(TOO_WIDE) == []
