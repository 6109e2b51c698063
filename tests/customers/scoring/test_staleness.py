"""Staleness is said twice, in SQL and for Django's queries: both mean the same customers."""

import pytest
from django.db import connection

from customers.models import Customer, ModelRelease, is_stale
from customers.scoring.staleness import STALE
from tests.factories import edit, make_customer, make_scored, write_as_scorer

pytestmark = pytest.mark.django_db

FOUND = f"SELECT customer_id FROM customers_customer AS customer WHERE {STALE}"
OTHERS = f"SELECT customer_id FROM customers_customer AS customer WHERE NOT {STALE}"


@pytest.fixture
def portfolio():
    """A customer of each kind: never scored, current, edited since, of a former model, and both of these."""
    kinds = {"new": make_customer(), "current": make_scored(), "edited": make_scored()}
    kinds |= {"former": make_scored(), "both": make_scored()}
    edit(kinds["edited"], age=61)
    edit(kinds["both"], age=61)
    active = ModelRelease.objects.create(sha256="0" * 64)
    for kind in ("current", "edited"):
        write_as_scorer(kinds[kind], scored_by=active)
    return {kind: customer.pk for kind, customer in kinds.items()}, active


def ids(statement, release):
    with connection.cursor() as cursor:
        cursor.execute(statement, {"release": release.pk})
        return {row[0] for row in cursor.fetchall()}


def test_both_find_the_same_customers_and_leave_the_same(portfolio):
    kinds, active = portfolio
    expected = {kinds[kind] for kind in ("new", "edited", "former", "both")}
    found = Customer.objects.filter(is_stale(active.pk))
    assert ids(FOUND, active) == set(found.values_list("pk", flat=True)) == expected
    assert set(Customer.objects.stale().values_list("pk", flat=True)) == expected
    assert ids(OTHERS, active) == set(Customer.objects.exclude(is_stale(active.pk)).values_list("pk", flat=True))
    assert ids(OTHERS, active) == {kinds["current"]}
    assert {customer.pk for customer in Customer.objects.all() if not customer.is_current()} == expected


def test_where_there_is_no_model_yet_both_find_those_who_wait():
    waiting = make_customer()
    assert set(Customer.objects.stale()) == {waiting}
    with connection.cursor() as cursor:
        cursor.execute(FOUND, {"release": None})
        assert cursor.fetchall() == [(waiting.pk,)]
