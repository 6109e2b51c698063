"""What staff open most comes first in the admin."""

import re

import pytest
from django.contrib import admin
from django.test import Client
from django.utils import timezone

from customers.models import Customer
from events.models.alerts import Alert
from tests.events.alerts.alerting import scores, threshold
from tests.factories import make_customer
from tests.staff import logged_in, superuser
from vigilpay.web import admin_site

pytestmark = pytest.mark.django_db


def pages(client):
    """Where the lists on the index lead, in their order."""
    return re.findall(r'<th scope="row"[^>]*>\s*<a href="([^"]+)"', client.get("/admin/").content.decode())


def groups(client):
    """The groups of the menu, in their order, each with its pages in theirs."""
    listed = client.get("/admin/").context["app_list"]
    return {group["name"]: [model["name"] for model in group["models"]] for group in listed}


def heading(client):
    return re.search("<h1>(.*?)</h1>", client.get("/admin/").content.decode())[1]


def test_the_overview_is_the_first_then_the_customers():
    assert pages(superuser())[:2] == ["/admin/events/overview/", "/admin/customers/customer/"]


def test_pages_stand_in_the_groups_that_staff_think_in():
    found = groups(superuser())
    assert list(found) == ["Customers", "Monitoring", "Access and audit"]
    assert {"Overview", "Customers", "Alerts", "Imports"} <= set(found["Customers"])
    assert {"Model releases", "Alert rules", "Messages"} <= set(found["Monitoring"])
    assert {"Users", "Groups", "Service tokens"} <= set(found["Access and audit"])


def test_a_group_is_there_for_a_user_who_sees_none_of_its_own_pages():
    assert groups(logged_in("eve", "view_alert")) == {"Customers": ["Alerts"]}


def test_the_page_of_one_application_lists_that_one_alone():
    page = superuser().get("/admin/events/").content.decode()
    assert "/admin/events/overview/" in page
    assert superuser("other").get("/admin/events/").context["app_list"][0]["app_label"] == "events"


class TestHeading:
    @pytest.fixture
    def alert(self):
        threshold(0.5)
        customer = make_customer()
        scores(customer, 0.9)
        return Alert.objects.get()

    def test_it_counts_open_alerts_for_staff_who_may_see_them(self, alert):
        assert heading(logged_in("ann", "view_alert", "view_customer")) == "Churn risk · 1 open alert"
        Alert.objects.all().acknowledge("bob")
        assert heading(logged_in("eve", "acknowledge_alert")) == "Churn risk · 0 open alerts"

    def test_others_learn_nothing_of_alerts(self, alert):
        assert heading(logged_in("ann", "view_customer")) == "Churn risk"

    def test_alerts_on_customers_who_objected_do_not_count(self, alert):
        Customer.objects.update(objected_at=timezone.now())
        assert heading(superuser()) == "Churn risk · 0 open alerts"

    def test_it_counts_no_further_than_a_limit(self, alert, monkeypatch):
        monkeypatch.setattr(admin_site, "MOST_COUNTED", 0)
        assert heading(superuser()) == "Churn risk · more than 0 open alerts"


def test_every_list_has_the_style_of_the_site():
    for page in ("auth/user", "events/alert", "vigilpay/trailentry", "customers/importbatch"):
        assert superuser(f"root of {page}").get(f"/admin/{page}/").content.count(b"customers/vigilpay.css") == 1


def test_a_list_is_headed_by_what_it_lists_and_offers_no_more_than_there_is():
    page = superuser().get("/admin/events/alert/").content.decode()
    assert "<h1>Alerts</h1>" in page
    assert "Show all" not in page
    assert "Show all" in superuser("other").get("/admin/events/alert/?q=7").content.decode()


def test_the_login_page_has_one_heading():
    page = Client().get("/admin/login/").content.decode()
    assert page.count('role="heading"') == 1
    assert "<h1" not in page


def test_who_may_not_see_it_finds_the_customers_first():
    assert pages(logged_in("ann", "view_customer", "view_drain"))[0] == "/admin/customers/customer/"


def test_the_queue_and_the_failed_logins_have_no_pages():
    """They would let a user name any function for the workers to run, and unpickle what others have written."""
    assert not {model for model in admin.site._registry if model._meta.app_label in ("django_q", "axes")}
    for page in ("", "schedule/", "schedule/add/", "success/", "failure/", "ormq/"):
        assert superuser(f"root at {page}").get(f"/admin/django_q/{page}").status_code == 404


def test_who_may_see_nothing_finds_nothing():
    assert pages(logged_in("bob")) == []
