"""Draws the pictures of the admin that the README shows: real pages of a real site, made-up customers, real scores.

Run by ``make screenshots``. What a page shows may differ in numbers from run to run, for times and edits are real.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser

from tests.browser.chromium import launched
from tests.browser.site import Site, running_site
from tests.browser.visitor import Visitor, visiting
from vigilpay.env import ROOT

PICTURES = ROOT / "docs" / "screenshots"
CUSTOMERS = 2_000
EDITED = 400
WIDTH, HEIGHT = 1360, 860
# No further down than a reader would scroll for a picture.
TALLEST = {"list": 1000, "customer": 1540, "overview": 1290}
LARGEST_BYTES = 300_000
# As the page itself remembers a click: room for what is to be shown.
CLOSE_SIDE_BAR = 'try { localStorage.setItem("django.admin.navSidebarIsOpen", "false") } catch {}'
# What becomes of the customer whose page is shown.
EDITS: tuple[dict[str, Any], ...] = (
    {"balance": 96_500},
    {"is_active_member": False},
    {"num_of_products": 1, "balance": 21_300},
    {"credit_score": 590},
    {"num_of_products": 3},
    {"is_active_member": True, "balance": 118_400},
    {"num_of_products": 1, "is_active_member": False},
)


def main() -> int:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as logs, running_site("vigilpay_screenshots", Path(logs), customers=CUSTOMERS) as site:
        customer = tell_stories(site)
        with launched() as browser:
            complaints = list(draw_all(browser, site, customer))
    for complaint in complaints:
        print(complaint, file=sys.stderr)  # noqa: T201
    return 1 if complaints else 0


def tell_stories(site: Site) -> int:
    """Rounds of edits, each scored before the next, so that scores have moved; the id of the customer to show."""
    pick = random.Random(1)
    [[customer]] = site.query(
        "SELECT customer_id FROM customers_customer WHERE age BETWEEN 44 AND 50 AND is_active_member"
        " AND num_of_products = 2 AND geography = 'Germany' ORDER BY 1 LIMIT 1"
    )
    ids = [
        row[0] for row in site.query("SELECT customer_id FROM customers_customer ORDER BY random() LIMIT %s", EDITED)
    ]
    riskiest = "SELECT customer_id FROM customers_customer ORDER BY churn_risk_score DESC LIMIT 60"
    for step in EDITS:
        for one in {*pick.sample(ids, EDITED // 3), *(row[0] for row in site.query(riskiest))} - {customer}:
            edit(site, one, some_fields(pick))
        edit(site, customer, step)
        site.wait_until_scored()
    return int(str(customer))


def some_fields(pick: random.Random) -> dict[str, Any]:
    """One or two fields that move in a customer's life, with values that are possible."""
    moving = {
        "balance": pick.choice([0, pick.randint(10_000, 200_000)]),
        "num_of_products": pick.choice([1, 1, 2, 2]),
        "is_active_member": pick.random() < 0.6,
        "credit_score": pick.randint(450, 800),
    }
    return {name: moving[name] for name in pick.sample(sorted(moving), pick.choice([1, 1, 2]))}


def edit(site: Site, customer: object, fields: dict[str, Any]) -> None:
    columns = ", ".join(f"{name} = %s" for name in fields)
    site.query(f"UPDATE customers_customer SET {columns} WHERE customer_id = %s", *fields.values(), customer)


def draw_all(browser: Browser, site: Site, customer: int) -> Iterator[str]:
    """Every page in both themes; what went wrong, in words."""
    for theme in ("light", "dark"):
        window = {"viewport": {"width": WIDTH, "height": HEIGHT}, "color_scheme": theme}
        with visiting(browser, site, "analyst", **window) as visitor:
            visitor.page.add_init_script(CLOSE_SIDE_BAR)
            for name, address in pages(visitor, customer):
                if visitor.open(address) == 200:
                    yield from draw(visitor, PICTURES / f"{name}-{theme}.png", TALLEST[name])
                else:
                    yield f"{name}: {address} does not answer."
            yield from visitor.complaints


def pages(visitor: Visitor, customer: int) -> Iterator[tuple[str, str]]:
    yield "list", "/admin/customers/customer/"
    yield "customer", f"/admin/customers/customer/{customer}/change/"
    overview = overview_of(visitor)
    if overview:
        yield "overview", overview
    else:
        print("No overview in this admin: its pictures are left out.")  # noqa: T201


def overview_of(visitor: Visitor) -> str | None:
    """The first link of the admin's index to an overview, if there is one."""
    visitor.open("/admin/")
    link = visitor.page.locator("#content-main a[href*='overview']")
    return link.first.get_attribute("href") if link.count() else None


def draw(visitor: Visitor, path: Path, tallest: int) -> Iterator[str]:
    """From the top of the page to its end, or nearly so."""
    page = visitor.page
    page.mouse.move(0, 0)
    height = min(tallest, max(HEIGHT, page.evaluate("() => document.documentElement.scrollHeight")))
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.evaluate("() => scrollTo(0, 0)")
    page.screenshot(path=path, animations="disabled")
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size / 1000:.0f} kB")  # noqa: T201
    if size > LARGEST_BYTES:
        yield f"{path.name} is larger than {LARGEST_BYTES / 1000:.0f} kB."


if __name__ == "__main__":
    sys.exit(main())
