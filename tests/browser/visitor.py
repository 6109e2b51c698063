"""A user in front of a browser, and everything that the browser complains of meanwhile."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, Response

from tests.browser.site import PASSWORD, Site

# Into every page before anything of its own; the driver's scripts are not subject to the page's policy.
WATCH = """
addEventListener("securitypolicyviolation",
                 it => complain(`${it.violatedDirective} refuses ${it.blockedURI} ${it.sample} on ${location}`));
"""

# The browser's own words for every status from 400 on.
REFUSAL = "Failed to load resource: the server responded"


class Visitor:
    """A logged-in user with a page of their own."""

    def __init__(self, page: Page, site: Site, complaints: list[str]) -> None:
        self.page = page
        self.site = site
        self.complaints = complaints

    def open(self, address: str) -> int:
        """Go to an address of the site; the status."""
        response = self.page.goto(f"{self.site.base}{address}")
        assert response is not None
        return response.status

    def text(self) -> str:
        """What there is to read."""
        return self.page.inner_text("body")

    def json(self, address: str) -> Any:
        """What the JSON views answer to the same session."""
        return self.page.request.get(f"{self.site.base}{address}").json()

    def post(self, address: str, **form: str) -> int:
        """Send a form by hand, past all buttons; the status."""
        token = next(it["value"] for it in self.page.context.cookies() if it["name"] == "csrftoken")
        sent = {**form, "csrfmiddlewaretoken": token}
        where = f"{self.site.base}{address}"
        return self.page.request.post(where, form=sent, headers={"Referer": where}, max_redirects=0).status

    def column(self, name: str) -> list[str]:
        """The cells of a column of a list."""
        return self.page.locator(f"#result_list .field-{name}").all_inner_texts()


@contextmanager
def visiting(browser: Browser, site: Site, name: str | None, **context: Any) -> Iterator[Visitor]:
    """That person, logged in, until the window is closed; not logged in without a name."""
    complaints: list[str] = []
    window = browser.new_context(storage_state=site.sessions.get(name or ""), **context)
    window.set_default_timeout(30_000)
    window.expose_function("complain", lambda said: complaints.append(said))
    window.add_init_script(WATCH)
    window.on(
        "console", lambda said: said.type == "error" and REFUSAL not in said.text and complaints.append(said.text)
    )
    window.on("response", lambda answer: lacks(answer) and complaints.append(f"{answer.status} {answer.url}"))
    window.on("weberror", lambda thrown: complaints.append(str(thrown.error)))
    visitor = Visitor(window.new_page(), site, complaints)
    if name and name not in site.sessions:  # once for each person: to hash a password takes as long as many pages
        visitor.open("/admin/")
        log_in(visitor.page, name)
        site.sessions[name] = window.storage_state()
    yield visitor
    window.close()


def lacks(answer: Response) -> bool:
    """Whether a page asked for a file and did not get it. Of pages themselves each test knows what it expects."""
    return answer.request.resource_type != "document" and answer.status >= 400


def log_in(page: Page, name: str) -> None:
    page.fill("#id_username", name)
    page.fill("#id_password", PASSWORD)
    page.click("[type=submit]")
    page.wait_for_url(re.compile(r"/admin/$"))
