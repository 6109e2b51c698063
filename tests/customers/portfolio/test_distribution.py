"""The distribution of risk, against a plain count of the same customers."""

import random
from bisect import bisect_right
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from customers.models import Customer
from customers.portfolio import distribution
from customers.portfolio.distribution import EDGES, STEPS, Distribution
from customers.presentation.bands import BANDS, band
from customers.scoring import scorer
from tests.factories import edit, make_customer, make_customers, make_scored, random_fields, write_as_scorer

pytestmark = pytest.mark.django_db


def counted() -> Distribution:
    with connection.cursor() as cursor:
        return distribution.count_scores(cursor)


def plainly_counted() -> Distribution:
    """One by one, by the same words that a customer's own page uses."""
    steps, bands, unscored = [0] * STEPS, [0] * len(BANDS), 0
    values = [Decimal("0.00")] * len(BANDS)
    for score, value in Customer.objects.values_list("churn_risk_score", "value_at_risk"):
        if score is None:
            unscored += 1
        else:
            steps[bisect_right(EDGES, score)] += 1
            bands[BANDS.index(band(score))] += 1
            values[BANDS.index(band(score))] += value
    return Distribution(steps, bands, [str(value) for value in values], [0.25, 0.5, 0.75], unscored)


def test_without_customers_everything_is_nought():
    found = counted()
    assert (found.customers, found.scored, found.unscored) == (0, 0, 0)
    assert found.steps == [0] * STEPS


def test_a_customer_without_a_score_is_in_no_band():
    make_customers(3)
    assert (counted().unscored, counted().scored, counted().customers) == (3, 0, 3)


@pytest.mark.parametrize("score", [0.0, 0.05, 0.15, 0.25, 0.2499999, 0.3, 0.35, 0.5, 0.55, 0.7, 0.75, 0.95, 1.0])
def test_a_score_on_an_edge_counts_as_everywhere_else(score):
    write_as_scorer(make_scored(), churn_risk_score=score)
    assert counted() == plainly_counted()
    assert counted().scored == 1


def test_bands_follow_the_settings(settings):
    settings.RISK_BANDS = (0.1, 0.2, 0.3)
    write_as_scorer(make_scored(), churn_risk_score=0.31)
    assert counted().bands == [0, 0, 0, 1]
    assert counted().thresholds == [0.1, 0.2, 0.3]


def test_it_is_exact_after_any_mixture_of_edits_deletes_inserts_and_scores():
    pick = random.Random(5)
    for _ in range(12):
        for _ in range(10):
            make_customer(**random_fields(pick))
        all_customers = list(Customer.objects.all())
        for customer in pick.sample(all_customers, 8):
            edit(customer, **random_fields(pick))
        for customer in pick.sample(all_customers, len(all_customers) // 2):
            scorer.analyze(customer.pk)
        Customer.objects.filter(pk__in=[customer.pk for customer in pick.sample(all_customers, 3)]).delete()
        assert counted() == plainly_counted()
    assert counted().scored


def test_it_is_exact_after_truncate_and_a_load_that_passes_by_the_triggers():
    make_scored()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE customers_customer")
        assert counted().customers == 0
        cursor.execute("SET LOCAL session_replication_role = replica")
        make_customers(4)
    assert counted() == plainly_counted()
    assert counted().unscored == 4


def test_customers_who_have_objected_are_in_no_step_and_do_not_wait():
    make_scored()
    make_customer()
    edit(make_scored(), objected_at=timezone.now())
    found = counted()
    assert (found.customers, found.scored, found.unscored) == (2, 1, 1)
