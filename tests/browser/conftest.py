"""One site for all tests, and a browser for each file of them."""

from collections.abc import Iterator

import pytest

from tests.browser.site import Site, running_site

CUSTOMERS = 300

LONG = "Critical customers of the branches in the south with more than one product"
ALERTS = """
INSERT INTO events_alert
    (rule_id, record_id, batch, customer_id, score, score_before, raised_at, acknowledged_at, acknowledged_by, note)
SELECT %s, id, 1, customer_id, 0.81, 0.42, now(), CASE WHEN id %% 2 = 0 THEN now() END, 'a.mueller-lindemann',
    'Called twice; asked for a new offer with a lower fee, and will decide by the end of the month.'
FROM customers_scorerecord ORDER BY id LIMIT 3 RETURNING id
"""


# What `make test` does in front of a browser, too; all the others need `make test-browser`.
IN_EVERY_TEST = ("test_axe.py", "test_customer_page.py", "test_days.py", "test_policy.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)
            if item.path.name not in IN_EVERY_TEST:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def chromium():
    """How to drive it; without one there is nothing to test."""
    from tests.browser import chromium

    if chromium.program() is None:
        pytest.skip(chromium.MISSING)
    return chromium


@pytest.fixture(scope="session")
def site(chromium, tmp_path_factory) -> Iterator[Site]:
    with running_site("vigilpay_test_browser", tmp_path_factory.mktemp("logs"), customers=CUSTOMERS) as it:
        yield it


@pytest.fixture(scope="module")
def browser(chromium):
    """Not for the session: while one is open, no test of this process may use Django's database."""
    with chromium.launched() as it:
        yield it


@pytest.fixture(scope="module")
def rows(site):
    """One row of each kind, with long values, by the name that stands for its key in an address."""
    [[customer]] = site.query("SELECT customer_id FROM customers_customer ORDER BY churn_risk_score DESC LIMIT 1")
    [[rule]] = site.query(
        "INSERT INTO events_alertrule (name, active, kind, threshold, counts_releases, geography, least_balance,"
        " recipients, by_webhook) VALUES (%s, true, 'threshold', 0.75, false, 'Germany', 150000, '', false)"
        " RETURNING id",
        LONG,
    )
    alert = site.query(ALERTS, rule)[0][0]
    site.query(
        "INSERT INTO events_delivery (rule_id, channel, batch, alerts, state, attempts, ended_at, error) VALUES"
        " (%s, 'e-mail', 1, 3, 'given up', 7, now(), 'ConnectionRefusedError: [Errno 111] Connection refused')",
        rule,
    )
    [[batch]] = site.query(
        "INSERT INTO customers_importbatch (file_name, file_bytes, sha256, state, checked_at, new, changed, unchanged,"
        " rejected, notes) VALUES ('customers-of-all-branches_2026-11-26_second-delivery_corrected.csv', 12345678,"
        " repeat('a', 64), 'checked', now(), 120345, 12345, 2345, 345, %s) RETURNING id",
        '["345 rows rejected, the first in row 12: geography must be France, Germany or Spain"]',
    )
    [[release]] = site.query("SELECT id FROM customers_modelrelease ORDER BY 1 LIMIT 1")
    [[record]] = site.query("SELECT id FROM customers_scorerecord ORDER BY 1 LIMIT 1")
    yield {"customer": customer, "alert": alert, "rule": rule, "batch": batch, "release": release, "record": record}
    for table in (
        "events_alert",
        "events_delivery",
        "events_alertrule",
        "customers_importpiece",
        "customers_importbatch",
    ):
        site.query(f"DELETE FROM {table}")


@pytest.fixture
def visit(browser, site):
    """Open a window as one of the people of the site; it is closed, and must not have complained, at the end."""
    from contextlib import ExitStack

    from tests.browser.visitor import visiting

    with ExitStack() as windows:
        visitors = []

        def open_window(name, **context):
            visitors.append(windows.enter_context(visiting(browser, site, name, **context)))
            return visitors[-1]

        yield open_window
        assert [complaint for visitor in visitors for complaint in visitor.complaints] == []
