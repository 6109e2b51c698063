"""Alerts on the pages of the customers: beside the score, and below what a save has done to it."""

import pytest
from django.contrib.messages import get_messages
from django.utils import timezone

from customers.admin.customer_page import after_save
from customers.models import Customer
from events.models.alerts import Alert
from tests.events.alerts.alerting import scores, store, threshold
from tests.factories import edit, make_customer
from tests.staff import logged_in

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/customer/"
MAY = ("view_customer", "change_customer")


@pytest.fixture
def ann():
    """May edit customers and see alerts."""
    return logged_in("ann", *MAY, "view_alert")


@pytest.fixture
def bob():
    """May edit customers, and knows of no alert."""
    return logged_in("bob", *MAY)


@pytest.fixture
def alert():
    threshold(0.5, name="Leaving")
    scores(make_customer(), 0.4, 0.6)
    return Alert.objects.get()


def page(client, customer_id):
    response = client.get(f"{LIST}{customer_id}/change/")
    assert response.status_code == 200
    return response.content.decode()


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def after_a_save(client, customer_id, address):
    """The page that follows a save of this customer whose score is there already."""
    session = client.session
    session[after_save.AWAITED] = {"customer": customer_id, "former": 0.4}
    session.save()
    return client.get(address)


class TestBesideTheScore:
    def test_alerts_with_when_how_much_and_whether_they_are_open(self, ann, alert):
        shown = page(ann, alert.customer_id)
        assert f'<a href="/admin/events/alert/{alert.pk}/change/">Leaving</a>, ' in shown
        assert ": 60.0\xa0% (open)" in shown
        alert.acknowledged_at, alert.acknowledged_by = timezone.now(), "anna"
        alert.save()
        assert "(acknowledged by anna)" in page(ann, alert.customer_id)

    def test_none(self, ann):
        assert "No alert was raised on this customer." in page(ann, make_customer().pk)

    def test_more_than_a_page_holds_are_a_link_away(self, ann):
        customer = make_customer()
        threshold(0.5)
        scores(customer, *(0.4, 0.6) * 5)
        assert "All alerts" not in page(ann, customer.pk)
        scores(customer, 0.4, 0.6)
        shown = page(ann, customer.pk)
        assert f'<a href="/admin/events/alert/?q={customer.pk}">All alerts</a>' in shown
        assert shown.count(" (open)") == 5

    def test_a_user_who_may_see_no_alerts_sees_none(self, bob, alert):
        assert "Leaving" not in page(bob, alert.customer_id)

    def test_of_a_customer_who_has_objected_none_are_shown(self, ann, alert):
        edit(Customer(pk=alert.customer_id), objected_at=timezone.now())
        assert "Leaving" not in page(ann, alert.customer_id)

    def test_there_are_none_where_a_customer_is_added(self):
        client = logged_in("eve", "add_customer", "view_alert")
        assert client.get(f"{LIST}add/").status_code == 200


class TestAfterASave:
    @pytest.mark.parametrize("address", [LIST, "{list}{pk}/change/"])
    def test_alerts_that_the_new_score_has_raised(self, ann, alert, address):
        where = address.format(list=LIST, pk=alert.customer_id)
        *_, last = said(after_a_save(ann, alert.customer_id, where))
        assert last == f"Alert raised for customer {alert.customer_id}: Leaving."
        assert said(ann.get(where)) == []

    def test_not_those_of_former_scores(self, ann, alert):
        customer = Customer.objects.get(pk=alert.customer_id)
        edit(customer, age=customer.age + 1)
        store(customer, 0.7)
        assert "Alert raised" not in str(said(after_a_save(ann, alert.customer_id, LIST)))

    def test_not_those_of_a_customer_of_that_number_who_had_left(self, ann):
        threshold(0.5, name="Leaving")
        customer = make_customer()
        store(customer, 0.6)
        customer.delete()
        again = make_customer(customer_id=Alert.objects.get().customer_id)
        store(again, 0.1)
        assert "Alert raised" not in str(said(after_a_save(ann, again.pk, LIST)))

    def test_none_while_the_score_is_pending(self, ann, alert, monkeypatch):
        monkeypatch.setattr(after_save, "MOST_SECONDS", 0.01)
        edit(Customer(pk=alert.customer_id), age=77)
        assert "Alert raised" not in str(said(after_a_save(ann, alert.customer_id, LIST)))

    def test_a_user_who_may_see_no_alerts_reads_of_none(self, bob, alert):
        assert "Alert raised" not in str(said(after_a_save(bob, alert.customer_id, LIST)))
