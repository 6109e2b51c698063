"""The list of customers by contacts: what is due, who was not contacted, and whom the reader has contacted."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.utils import timezone

from customers.admin.customer_list.contact_filters import ContactFilter, last_contact, with_last_contacts
from customers.models import Customer
from tests.customers.outreach.people import make_contact
from tests.factories import make_customer
from tests.staff import superuser

pytestmark = pytest.mark.django_db


def found(choice, reader="ann"):
    request = RequestFactory().get("/", {"contact": choice})
    request.user = superuser(reader).get("/admin/").wsgi_request.user
    page = admin.site._registry[Customer]
    chosen = ContactFilter(request, {"contact": [choice]}, Customer, page)
    return set(chosen.queryset(request, Customer.objects.all()).values_list("pk", flat=True))


def in_days(days):
    return timezone.localdate() + timedelta(days=days)


def test_a_follow_up_is_due_from_its_day_on_until_there_is_another_contact():
    today, overdue, later, done = (make_customer() for _ in range(4))
    make_contact(today, follow_up_on=in_days(0))
    make_contact(overdue, follow_up_on=in_days(-9))
    make_contact(later, follow_up_on=in_days(1))
    make_contact(done, follow_up_on=in_days(-1))
    make_contact(done)
    assert found("due") == {today.pk, overdue.pk}


def test_not_contacted_for_so_many_days(settings):
    never, long_ago, lately = (make_customer() for _ in range(3))
    make_contact(long_ago, at=timezone.now() - timedelta(days=14, minutes=1))
    make_contact(lately, at=timezone.now() - timedelta(days=13, hours=23))
    assert found("not_lately") == {never.pk, long_ago.pk}
    settings.CONTACT_PAUSE_DAYS = 1
    assert found("not_lately", "bob") == {never.pk, long_ago.pk, lately.pk}


def test_contacted_by_the_reader():
    mine, other = make_customer(), make_customer()
    make_contact(mine, by="ann")
    make_contact(other, by="bob")
    assert found("mine") == {mine.pk}


def test_the_newest_contact_of_each_row_comes_by_one_query(django_assert_num_queries):
    first, second, none = (make_customer() for _ in range(3))
    make_contact(first, outcome="not reached")
    newest = make_contact(first, outcome="offer made", at="2026-11-25T12:00Z")
    make_contact(second)
    with django_assert_num_queries(1):
        contacts = with_last_contacts([first.pk, second.pk, none.pk])
    assert contacts.keys() == {first.pk, second.pk}
    first.newest_contact = contacts[first.pk]
    assert contacts[first.pk].pk == newest.pk
    assert last_contact(first) == "25 Nov 2026: Offer made"
    assert last_contact(none) is None
