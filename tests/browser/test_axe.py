"""Each kind of page of the admin, in front of axe-core: light, dark, and on a phone."""

import pytest

from tests.browser.axe import violations

WINDOWS = {
    "light": {"viewport": {"width": 1366, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1366, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
# Who looks, at what. {customer}, {alert} and {batch} are those of the fixture below.
PAGES = {
    "index": ("root", "/admin/"),
    "list": ("analyst", "/admin/customers/customer/"),
    "customer": ("analyst", "/admin/customers/customer/{customer}/change/"),
    "customer, to read": ("viewer", "/admin/customers/customer/{customer}/change/"),
    "new customer": ("analyst", "/admin/customers/customer/add/"),
    "overview": ("viewer", "/admin/events/overview/1/change/"),
    "alerts": ("analyst", "/admin/events/alert/"),
    "alert": ("analyst", "/admin/events/alert/{alert}/change/"),
    "alert rules": ("root", "/admin/events/alertrule/"),
    "alert rule": ("root", "/admin/events/alertrule/add/"),
    "messages": ("root", "/admin/events/delivery/"),
    "imports": ("analyst", "/admin/customers/importbatch/"),
    "new import": ("analyst", "/admin/customers/importbatch/add/"),
    "import": ("analyst", "/admin/customers/importbatch/{batch}/change/"),
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
ALERT = """
INSERT INTO events_alert (rule_id, record_id, batch, customer_id, score, score_before, raised_at)
SELECT %s, r.id, 1, r.customer_id, 0.81, 0.42, now() FROM customers_scorerecord r ORDER BY r.id LIMIT 3 RETURNING id
"""


@pytest.fixture(scope="module")
def rows(site):
    """One of each, by the name that stands in an address."""
    [[customer]] = site.query("SELECT customer_id FROM customers_customer ORDER BY churn_risk_score DESC LIMIT 1")
    [[rule]] = site.query(
        "INSERT INTO events_alertrule (name, active, kind, threshold, counts_releases, geography, recipients,"
        " by_webhook) VALUES ('Critical customers', true, 'threshold', 0.75, false, '', '', false) RETURNING id"
    )
    alert = site.query(ALERT, rule)[0][0]
    [[batch]] = site.query(
        "INSERT INTO customers_importbatch (file_name, file_bytes, sha256, notes) VALUES"
        " ('branch.csv', 12, repeat('a', 64), '[]') RETURNING id"
    )
    site.query("UPDATE customers_importbatch SET state = 'checked', new = 2, changed = 1, unchanged = 0, rejected = 0")
    [[release]] = site.query("SELECT id FROM customers_modelrelease ORDER BY 1 LIMIT 1")
    [[record]] = site.query("SELECT id FROM customers_scorerecord ORDER BY 1 LIMIT 1")
    yield {
        "customer": customer,
        "alert": alert,
        "batch": batch,
        "release": release,
        "record": record,
    }
    for table in ("events_alert", "events_alertrule", "customers_importbatch"):
        site.query(f"DELETE FROM {table}")


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_stands_in_the_way(visit, rows, name, window):
    person, address = PAGES[name]
    visitor = visit(person, bypass_csp=True, **WINDOWS[window])  # axe styles what it measures
    visitor.open(address.format(**rows))
    assert violations(visitor.page) == []
