"""One site for all tests, and a browser for each file of them."""

from collections.abc import Iterator

import pytest

from tests.browser.site import Site, running_site

CUSTOMERS = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)


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
