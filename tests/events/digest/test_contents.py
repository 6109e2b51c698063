"""Who became critical within a period, and who is no longer; and what waits for staff."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from customers.models import Contact, Customer, ScoreRecord
from events.digest import contents
from events.digest.contents import contents_of
from events.digest.period import Period
from events.models.alerts import Alert
from tests.events.alerts.alerting import store, threshold
from tests.factories import make_customer, make_customers, make_scored, write_as_scorer

pytestmark = pytest.mark.django_db

DAY = Period("daily", date(2026, 11, 25))
BEGINS = datetime(2026, 11, 25, tzinfo=UTC)


def story(*scores, customer=None, before=None, causes=()):
    """A customer with these scores, an hour apart, from the beginning of the day on."""
    customer = customer or make_customer()
    for number, score in enumerate(scores):
        cause = causes[number] if causes else "edited"
        record(customer, score, before, BEGINS + timedelta(hours=number), cause)
        before = score
    return customer


def record(customer, score, before, at, cause="edited"):
    ScoreRecord.objects.create(
        customer_id=customer.pk,
        score=score,
        previous_score=before,
        version=1,
        scored_by_id=1,
        cause=cause,
        scored_at=at,
    )


def entered():
    return [(it.customer_id, it.before, it.after) for it in contents_of(DAY).entered.named]


def left():
    return [(it.customer_id, it.before, it.after) for it in contents_of(DAY).left.named]


class TestWhoMoved:
    def test_who_was_below_and_ends_above_has_entered(self):
        customer = story(0.6, 0.9, before=0.5)
        assert (entered(), left()) == ([(customer.pk, 0.5, 0.9)], [])

    def test_who_was_above_and_ends_below_has_left(self):
        customer = story(0.9, 0.2, before=0.8)
        assert (entered(), left()) == ([], [(customer.pk, 0.8, 0.2)])

    def test_a_risk_on_the_threshold_is_critical(self):
        customer = story(0.75, before=0.7499)
        assert entered() == [(customer.pk, 0.7499, 0.75)]

    def test_a_first_score_that_is_critical_has_entered(self):
        customer = story(0.9)
        assert entered() == [(customer.pk, None, 0.9)]

    @pytest.mark.parametrize(("before", "scores"), [(0.1, (0.9, 0.2)), (0.9, (0.1, 0.8)), (0.1, (0.9, 0.1, 0.9, 0.2))])
    def test_who_came_back_within_the_period_has_not_moved(self, before, scores):
        story(*scores, before=before)
        assert (entered(), left()) == ([], [])

    def test_only_scores_of_the_period_count(self):
        early, late = make_customers(2)
        record(early, 0.9, 0.1, DAY.begins - timedelta(microseconds=1))
        record(late, 0.9, 0.1, DAY.ends)
        assert entered() == []
        record(late, 0.9, 0.1, DAY.ends - timedelta(microseconds=1))
        assert entered() == [(late.pk, 0.1, 0.9)]

    def test_what_a_new_model_did_is_said_apart(self):
        story(0.9, before=0.1)
        story(0.9, before=0.1, causes=["release"])
        story(0.3, 0.9, before=0.1, causes=["release", "edited"])
        found = contents_of(DAY).entered
        assert (found.customers, found.by_release) == (3, 1)
        assert sorted(it.by_release for it in found.named) == [False, False, True]

    def test_customers_who_have_objected_and_those_deleted_are_not_in_it(self):
        objector, gone, stays = (story(0.9, before=0.1) for _ in range(3))
        Customer.objects.filter(pk=objector.pk).update(objected_at=timezone.now())
        gone.delete()
        found = contents_of(DAY).entered
        assert (found.customers, [it.customer_id for it in found.named]) == (1, [stays.pk])

    def test_those_with_most_at_risk_are_named_and_the_others_counted(self, monkeypatch):
        monkeypatch.setattr(contents, "NAMED", 2)
        for value in (100, 300, 200):
            customer = make_scored()
            ScoreRecord.objects.filter(customer_id=customer.pk).update(scored_at=BEGINS - timedelta(days=1))
            write_as_scorer(customer, churn_risk_score=0.9, value_at_risk=Decimal(value))
            story(0.9, before=0.1, customer=customer)
        found = contents_of(DAY).entered
        assert (found.customers, len(found.named)) == (3, 2)
        values = Customer.objects.in_bulk([it.customer_id for it in found.named])
        assert [values[it.customer_id].value_at_risk for it in found.named] == [300, 200]

    def test_it_equals_a_comparison_of_first_and_last(self):
        pick = random.Random(5)
        expected = {}
        for _ in range(60):
            before = pick.choice([None, pick.random()])
            scores = [pick.choice([0.75, pick.random()]) for _ in range(pick.randint(1, 5))]
            customer = story(*scores, before=before)
            was, is_now = (before or 0) >= 0.75, scores[-1] >= 0.75
            if was != is_now:
                expected[customer.pk] = (is_now, before, scores[-1])
        found = {key: (True, *rest) for key, *rest in entered()} | {key: (False, *rest) for key, *rest in left()}
        assert found == expected


class TestNow:
    def test_critical_customers_and_their_value(self):
        for score, value in ((0.75, "10.10"), (0.9, "0.25"), (0.7, "99.00")):
            write_as_scorer(make_scored(), churn_risk_score=score, value_at_risk=Decimal(value))
        found = contents_of(DAY)
        assert (found.customers_critical, found.value_at_risk) == (2, Decimal("10.35"))

    def test_without_any_it_is_nothing(self):
        found = contents_of(DAY)
        assert (found.customers_critical, found.value_at_risk, found.open_alerts) == (0, 0, 0)

    def test_open_alerts(self):
        threshold(0.5)
        customers = make_customers(3)
        for customer in customers:
            store(customer, 0.9)
        Alert.objects.filter(customer_id=customers[0].pk).acknowledge("ann")
        Customer.objects.filter(pk=customers[1].pk).update(objected_at=timezone.now())
        assert contents_of(DAY).open_alerts == 1

    def test_follow_ups_that_are_due(self):
        today = timezone.localdate()
        customers = make_customers(5)
        for customer, days in zip(customers, (-1, 0, 1, 0, 0), strict=True):
            contact(customer, follow_up_on=today + timedelta(days=days))
        contact(customers[3])  # the follow-up itself
        Customer.objects.filter(pk=customers[4].pk).update(objected_at=timezone.now())
        assert contents_of(DAY).follow_ups_due == 2


def contact(customer, **fields):
    Contact.objects.create(customer=customer, by="ann", channel="phone", outcome="informed", **fields)
