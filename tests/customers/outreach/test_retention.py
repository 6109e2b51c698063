"""Old contacts and finished items go; what still binds the bank stays."""

from datetime import timedelta

import pytest
from django.utils import timezone

from customers.models import Contact, WorklistItem
from customers.outreach import retention
from customers.outreach.retention import prune_outreach, would_prune_outreach
from events import jobs
from tests.customers.outreach.people import make_contact, make_item
from tests.factories import make_customer, make_scored

pytestmark = pytest.mark.django_db


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def test_what_is_over_goes_slice_by_slice(monkeypatch):
    monkeypatch.setattr(retention, "SLICE_ROWS", 2)
    customer = make_customer()
    for _ in range(5):
        make_contact(customer, at=days_ago(100))
    make_contact(customer, at=days_ago(100), follow_up_on=timezone.localdate() - timedelta(days=1))
    kept = make_contact(customer, at=days_ago(98))
    assert would_prune_outreach(days_ago(99)) == 6
    assert prune_outreach(days_ago(99)) == 6
    assert Contact.objects.get() == kept


def test_a_follow_up_to_come_and_a_request_not_to_be_contacted_stay():
    customer = make_customer()
    make_contact(customer, at=days_ago(100), follow_up_on=timezone.localdate())
    make_contact(customer, at=days_ago(100), outcome="no contact")
    assert prune_outreach(days_ago(99)) == 0


def test_a_request_that_was_superseded_goes_and_does_not_stand_again():
    """The later contact is old enough to go as well, and so is what it has superseded."""
    customer = make_customer()
    make_contact(customer, at=days_ago(300), outcome="no contact", follow_up_on=timezone.localdate())
    make_contact(customer, at=days_ago(200), outcome="informed")
    assert prune_outreach(days_ago(99)) == 2


def test_an_attempt_in_vain_supersedes_no_request():
    customer = make_customer()
    wish = make_contact(customer, at=days_ago(300), outcome="no contact")
    make_contact(customer, at=days_ago(200), outcome="not reached")
    assert prune_outreach(days_ago(99)) == 1
    assert Contact.objects.get() == wish


def test_items_go_when_they_were_done_that_long_ago():
    for fields in ({"done_at": days_ago(100)}, {"done_at": days_ago(98)}, {}):
        make_item(make_customer(), claimed_at=days_ago(101), **fields)
    assert prune_outreach(days_ago(99)) == 1
    assert WorklistItem.objects.count() == 2


def test_the_daily_job_does_so_by_the_settings(settings):
    settings.HISTORY_DAYS = 99
    make_contact(make_scored(), at=days_ago(100))
    jobs.prune_history()
    assert not Contact.objects.exists()
