"""Each role in front of its own pages: what it sees, and what it does not get by typing an address."""

import pytest

CUSTOMERS = "/admin/customers/customer/"
PAUSES = "/admin/events/pause/"


@pytest.fixture
def customer(site):
    [[found]] = site.query("SELECT customer_id FROM customers_customer ORDER BY 1 LIMIT 1")
    return found


def test_a_viewer_reads_and_has_nothing_to_press(visit, customer, site):
    viewer = visit("viewer")
    assert viewer.open(f"{CUSTOMERS}{customer}/change/") == 200
    assert viewer.page.locator("[name=_save], [name=_continue], .deletelink, #id_age").count() == 0
    assert viewer.open(f"{CUSTOMERS}add/") == 403
    assert viewer.open(f"{CUSTOMERS}{customer}/delete/") == 403
    assert viewer.open(PAUSES) == 200
    assert viewer.page.locator(".addlink[href$='/pause/add/']").count() == 0
    assert viewer.open(f"{PAUSES}add/") == 403
    before = site.query("SELECT age FROM customers_customer WHERE customer_id = %s", customer)
    viewer.open(CUSTOMERS)
    assert viewer.post(f"{CUSTOMERS}{customer}/change/", age="91") == 403
    assert viewer.post(f"{PAUSES}add/", reason="mine") == 403
    assert site.query("SELECT age FROM customers_customer WHERE customer_id = %s", customer) == before
    assert site.query("SELECT count(*) FROM events_pause") == [(0,)]


def test_an_analyst_edits_and_does_not_pause(visit, customer):
    analyst = visit("analyst")
    assert analyst.open(f"{CUSTOMERS}{customer}/change/") == 200
    assert analyst.page.locator("#id_age").is_editable()
    assert analyst.open(f"{PAUSES}add/") == 403
    assert analyst.post(f"{PAUSES}add/", reason="mine") == 403


@pytest.fixture
def going_on(site):
    """Whatever comes of a test, scoring is not paused for the next."""
    yield
    site.query("DELETE FROM events_pause")


def test_an_operator_pauses_and_resumes_and_does_not_edit(visit, customer, site, going_on):
    operator = visit("operator")
    assert operator.open(f"{CUSTOMERS}{customer}/change/") == 200
    assert operator.page.locator("#id_age").count() == 0
    operator.open(f"{PAUSES}add/")
    operator.page.fill("#id_reason", "a look at the model")
    operator.page.click("[name=_save]")
    operator.open(CUSTOMERS)
    assert "by operator: a look at the model." in operator.text()
    operator.open(PAUSES)
    operator.page.click("[name=_resume]")
    operator.page.wait_for_selector(".messagelist")
    assert "Scoring resumed." in operator.text()
    said = (
        "SELECT action_flag FROM django_admin_log JOIN auth_user u ON u.id = user_id WHERE username = 'operator' "
        "ORDER BY django_admin_log.id DESC LIMIT 2"  # the operator of other tests is the same
    )
    assert site.query(said) == [(3,), (1,)]


@pytest.mark.parametrize("role", ["viewer", "analyst", "operator"])
def test_none_of_them_reaches_accounts(visit, role):
    visitor = visit(role)
    assert visitor.open("/admin/auth/user/") == 403
    assert "Users" not in (visitor.open("/admin/") and visitor.text())


def test_a_wrong_password_does_not_open_the_door(browser, site):
    window = browser.new_page()
    window.goto(f"{site.base}/admin/")
    window.fill("#id_username", "viewer")
    window.fill("#id_password", "guessed")
    window.click("[type=submit]")
    window.wait_for_selector(".errornote")
    assert "/admin/login/" in window.url
    window.close()
