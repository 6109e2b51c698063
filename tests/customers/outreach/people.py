"""Customers to call, and what has been done about them."""

from decimal import Decimal

from django.db import transaction

from customers.models import Contact, WorklistItem
from tests.factories import make_scored, write_as_scorer


def make_at_risk(value, score=0.8, **fields):
    """A customer whose score is current, with this churn risk and this value at risk."""
    customer = make_scored(**fields)
    with transaction.atomic():  # which a scorer's rights last for
        write_as_scorer(customer, churn_risk_score=score, value_at_risk=Decimal(value))
    customer.refresh_from_db()
    return customer


def make_contact(customer, *, at=None, by="agent", channel="phone", outcome="informed", **fields):
    contact = Contact.objects.create(customer=customer, by=by, channel=channel, outcome=outcome, **fields)
    if at is not None:
        Contact.objects.filter(pk=contact.pk).update(at=at)
    return contact


def make_item(customer, by="agent", **fields):
    score = fields.pop("score", customer.churn_risk_score)
    item = WorklistItem.objects.create(customer=customer, claimed_by=by, score=score)
    WorklistItem.objects.filter(pk=item.pk).update(**fields)
    item.refresh_from_db()
    return item
