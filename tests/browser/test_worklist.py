"""The worklist and the form of a contact, at a desk and on a phone; an agent's whole day is in ``test_days.py``."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from customers.presentation.durations import format_day

WORKLIST = "/admin/customers/worklistitem/"
CUSTOMER = re.compile(r"/admin/customers/customer/(\d+)/change/#container$")
STORED = "SELECT * FROM customers_customer WHERE customer_id = %s"


@pytest.fixture(params=[{"width": 1366, "height": 900}, {"width": 390, "height": 844}], ids=["desk", "phone"])
def agent(visit, request):
    return visit("agent", viewport=request.param)


@pytest.fixture(autouse=True)
def empty_worklists(site):
    yield
    for table in ("customers_worklistitem", "customers_contact"):
        site.query(f"DELETE FROM {table}")


def customer_of(visitor):
    visitor.page.wait_for_url(CUSTOMER)
    return int(CUSTOMER.search(visitor.page.url)[1])


def press(visitor, button):
    visitor.page.get_by_role("button", name=button, exact=True).click()


def claim(visitor):
    assert visitor.open(WORKLIST) == 200
    press(visitor, "Next to call")
    return customer_of(visitor)


def fill_in(visitor, **more):
    visitor.page.select_option("#id_contacts-0-channel", "phone")
    visitor.page.select_option("#id_contacts-0-outcome", "offer made")
    visitor.page.fill("#id_contacts-0-note", "Thinks about it.")
    for name, value in more.items():
        visitor.page.fill(f"#id_contacts-0-{name}", value)


def contacts_with(site, customer):
    return site.query("SELECT by, outcome, note FROM customers_contact WHERE customer_id = %s ORDER BY id", customer)


def test_the_next_customer_is_shown_from_the_top_though_the_form_stands_at_the_end(agent, site):
    first = claim(agent)
    before = site.query(STORED, first)
    agent.page.click("text=Record a contact")
    fill_in(agent)
    press(agent, "Save and next")
    agent.page.wait_for_selector(f"text=Contact with customer {first} recorded.")
    assert customer_of(agent) != first
    assert agent.page.evaluate("scrollY") == 0
    assert site.query(STORED, first) == before


def test_enter_in_a_field_saves_the_contact_and_keeps_the_customer_on_the_worklist(agent, site):
    customer = claim(agent)
    day = timezone.localdate() + timedelta(days=30)
    fill_in(agent, follow_up_on=day.isoformat())
    agent.page.press("#id_contacts-0-follow_up_on", "Enter")
    agent.page.wait_for_selector(f"text=Contact with customer {customer} recorded. Follow-up on {format_day(day)}.")
    assert len(contacts_with(site, customer)) == 1
    agent.open(WORKLIST)
    agent.page.click(f"[aria-label='Done: customer {customer}']")
    agent.page.wait_for_selector(f"text=Customer {customer} marked as done.")


def test_no_page_of_the_day_is_wider_than_the_window(agent):
    claim(agent)
    addresses = [agent.page.url, f"{agent.site.base}{WORKLIST}", f"{agent.site.base}/admin/customers/contact/"]
    for address in addresses:
        agent.page.goto(address)
        assert agent.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
