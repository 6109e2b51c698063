"""Staleness and exclusion are said twice, in SQL and for Django's queries: both mean the same customers."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from customers.models import Customer, ModelRelease, ScoringFailure, is_excluded, is_stale
from customers.scoring.staleness import NOT_EXCLUDED, STALE
from tests.factories import edit, make_customer, make_failure, make_scored, write_as_scorer

pytestmark = pytest.mark.django_db

FOUND = f"SELECT customer_id FROM customers_customer AS customer WHERE {STALE}"
OTHERS = f"SELECT customer_id FROM customers_customer AS customer WHERE NOT {STALE}"


@pytest.fixture
def portfolio():
    """A customer of each kind: never scored, current, edited since, of a former model, and both of these; and some who
    have objected to being scored, when they were stale, current or of a former model.
    """
    kinds = {"new": make_customer(), "current": make_scored(), "edited": make_scored()}
    kinds |= {"former": make_scored(), "both": make_scored()}
    edit(kinds["edited"], age=61)
    edit(kinds["both"], age=61)
    for name in ("new", "current", "former"):
        kinds[f"{name}, objected"] = make_customer() if name == "new" else make_scored()
    active = ModelRelease.objects.create(sha256="0" * 64)
    for kind in ("current", "edited", "current, objected"):
        write_as_scorer(kinds[kind], scored_by=active)
    for name in ("new", "current", "former"):
        edit(kinds[f"{name}, objected"], objected_at=Now())
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
    others = Customer.objects.not_objected().exclude(is_stale(active.pk))
    assert ids(OTHERS, active) == set(others.values_list("pk", flat=True)) == {kinds["current"]}
    assert {it.pk for it in Customer.objects.not_objected() if not it.is_current()} == expected
    assert not any(customer.is_current() for customer in Customer.objects.filter(objected_at__isnull=False))


def test_where_there_is_no_model_yet_both_find_those_who_wait():
    waiting = make_customer()
    assert set(Customer.objects.stale()) == {waiting}
    with connection.cursor() as cursor:
        cursor.execute(FOUND, {"release": None})
        assert cursor.fetchall() == [(waiting.pk,)]


def test_both_exclude_the_same_customers_from_scoring():
    soon = timezone.now() + timedelta(minutes=5)
    excluded = {"by the model": make_scored(), "by staff": make_customer(), "for a while": make_customer()}
    others = {"never failed": make_customer(), "due again": make_customer(), "edited since": make_customer()}
    others |= {"by another model": make_customer(), "in a former life": make_customer()}
    make_failure(excluded["by the model"])
    make_failure(excluded["by staff"], reason="person", attempts=0)
    make_failure(excluded["for a while"], retry_at=soon)
    make_failure(others["due again"], retry_at=timezone.now() - timedelta(seconds=1))
    make_failure(others["edited since"])
    edit(others["edited since"], age=61)
    active = ModelRelease.objects.active()
    make_failure(others["by another model"], release=ModelRelease.objects.create(pk=active.pk - 1, sha256="0" * 64))
    make_failure(others["in a former life"])
    ScoringFailure.objects.filter(pk=others["in a former life"].pk).update(arrived_at=timezone.now())
    excluded |= {"by objection": make_scored(), "by objection and the model": make_customer()}
    make_failure(excluded["by objection and the model"])
    for kind in ("by objection", "by objection and the model"):
        edit(excluded[kind], objected_at=Now())
    free = ids(f"SELECT customer_id FROM customers_customer AS customer WHERE {NOT_EXCLUDED}", active)
    assert free == set(Customer.objects.exclude(is_excluded(active.pk)).values_list("pk", flat=True))
    assert free == {customer.pk for customer in others.values()}
    found = Customer.objects.filter(is_excluded(active.pk))
    assert set(found.values_list("pk", flat=True)) == {customer.pk for customer in excluded.values()}
