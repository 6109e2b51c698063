"""Each kind of page of the admin, in front of axe-core: light, dark, and on a phone."""

import pytest

from tests.browser.axe import violations

WINDOWS = {
    "light": {"viewport": {"width": 1366, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1366, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
# Who looks, at what; in braces the names of `rows`.
PAGES = {
    "index": ("root", "/admin/"),
    "list": ("analyst", "/admin/customers/customer/"),
    "customer": ("analyst", "/admin/customers/customer/{customer}/change/"),
    "customer, to read": ("viewer", "/admin/customers/customer/{customer}/change/"),
    "customer, to call": ("agent", "/admin/customers/customer/{customer}/change/"),
    "what-if of a customer": ("viewer", "/admin/customers/customer/{customer}/what-if/"),
    "history of a customer": ("viewer", "/admin/customers/customer/{customer}/history/"),
    "new customer": ("analyst", "/admin/customers/customer/add/"),
    "overview": ("viewer", "/admin/events/overview/1/change/"),
    "worklist": ("agent", "/admin/customers/worklistitem/"),
    "contacts": ("agent", "/admin/customers/contact/"),
    "portfolio": ("root", "/admin/customers/portfoliosnapshot/"),
    "system status": ("operator", "/admin/events/systemstatus/"),
    "alerts": ("analyst", "/admin/events/alert/"),
    "alert": ("analyst", "/admin/events/alert/{alert}/change/"),
    "alert rules": ("root", "/admin/events/alertrule/"),
    "alert rule": ("root", "/admin/events/alertrule/add/"),
    "messages": ("root", "/admin/events/delivery/"),
    "imports": ("analyst", "/admin/customers/importbatch/"),
    "new import": ("analyst", "/admin/customers/importbatch/add/"),
    "import": ("analyst", "/admin/customers/importbatch/{batch}/change/"),
    "new column mapping": ("analyst", "/admin/customers/columnmapping/add/"),
    "category aliases": ("analyst", "/admin/customers/categoryalias/"),
    "releases": ("operator", "/admin/customers/modelrelease/"),
    "release": ("operator", "/admin/customers/modelrelease/{release}/change/"),
    "records": ("viewer", "/admin/customers/scorerecord/"),
    "record": ("viewer", "/admin/customers/scorerecord/{record}/change/"),
    "failures": ("operator", "/admin/customers/scoringfailure/"),
    "scoring runs": ("operator", "/admin/events/drain/"),
    "pauses": ("operator", "/admin/events/pause/add/"),
    "audit trail": ("root", "/admin/vigilpay/trailentry/"),
    "tokens": ("root", "/admin/vigilpay/servicetoken/add/"),
    "log in": (None, "/admin/login/"),
    "may not": ("viewer", "/admin/auth/user/"),
    "is not there": ("viewer", "/admin/nothing/"),
}


# Opened most, and by most; the others are looked at in each window by ``make test-browser``.
MAIN = ("list", "customer", "overview", "worklist")
VIEWS = [
    pytest.param(name, window, marks=() if name in MAIN else pytest.mark.slow) for name in PAGES for window in WINDOWS
]


@pytest.mark.parametrize(("name", "window"), VIEWS)
def test_nothing_stands_in_the_way(visit, rows, name, window):
    person, address = PAGES[name]
    visitor = visit(person, bypass_csp=True, **WINDOWS[window])  # axe styles what it measures
    visitor.open(address.format(**rows))
    assert violations(visitor.page) == []
