"""The sums of value at risk, against the same sums in Python, to the cent."""

import random
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models.functions import Now

from customers.models import Customer
from customers.portfolio.distribution import count_scores
from customers.presentation.bands import BANDS, band
from customers.scoring import scorer
from tests.factories import edit, make_customer, make_scored, random_fields, write_as_scorer
from tests.money import value_at_risk

pytestmark = pytest.mark.django_db


def summed() -> list[Decimal]:
    with connection.cursor() as cursor:
        return count_scores(cursor).values


def recomputed() -> list[Decimal]:
    """From balances and scores, one customer at a time."""
    sums = [Decimal("0.00")] * len(BANDS)
    for balance, score in Customer.objects.values_list("balance", "churn_risk_score"):
        if score is not None:
            sums[BANDS.index(band(score))] += value_at_risk(balance, score)
    return sums


def test_without_customers_nothing_is_at_risk():
    assert summed() == [Decimal("0.00")] * len(BANDS)


def test_the_sums_equal_a_recomputation_to_the_cent():
    pick = random.Random(15)
    for _ in range(300):
        make_customer(**random_fields(pick))
    scorer.rescore_batch()
    assert summed() == recomputed()
    assert all(summed())


@pytest.mark.parametrize("score", [0.0, 0.25, 0.2499999, 0.5, 0.75, 1.0])
def test_a_score_on_an_edge_counts_as_everywhere_else(score):
    write_as_scorer(make_scored(), churn_risk_score=score)
    assert summed() == recomputed()


def test_bands_follow_the_settings(settings):
    settings.RISK_BANDS = (0.1, 0.2, 0.3)
    write_as_scorer(make_scored(), churn_risk_score=0.31)
    assert summed() == recomputed() == [0, 0, 0, Decimal("15500.00")]


def test_who_waits_for_a_first_score_or_has_objected_counts_for_nothing():
    make_customer()
    edit(make_scored(), objected_at=Now())
    assert sum(summed()) == 0
