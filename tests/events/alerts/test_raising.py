"""When a score raises an alert, and when it does not."""

import random
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from customers.models import Customer, ScoreRecord
from customers.releases.active import active_model
from customers.scoring import scorer
from events.models.alerts import Alert, AlertRule, Delivery
from tests.events.alerts.alerting import another_release, rise, scores, store, store_together, threshold
from tests.factories import edit, make_customer, make_customers, rescore
from tests.others import together

pytestmark = pytest.mark.django_db


def raised(rule=None):
    """What was raised, as (before, after)."""
    alerts = Alert.objects.order_by("id")
    return [(it.score_before, it.score) for it in (alerts.filter(rule=rule) if rule else alerts)]


def grow_older(days):
    """As if all that happened so far had been so many days earlier."""
    for record in ScoreRecord.objects.all():
        ScoreRecord.objects.filter(pk=record.pk).update(scored_at=record.scored_at - timedelta(days=days))


class TestThreshold:
    def test_a_score_that_comes_to_it_from_below_raises_one_alert(self):
        rule = threshold(0.5)
        customer = make_customer()
        scores(customer, 0.4, 0.5, 0.6, 0.5)
        [alert] = Alert.objects.all()
        assert (alert.rule, alert.customer_id, alert.score_before, alert.score) == (rule, customer.pk, 0.4, 0.5)
        record = ScoreRecord.objects.get(pk=alert.record_id)
        assert (record.score, record.scored_at) == (alert.score, alert.raised_at)

    def test_it_raises_again_only_after_the_score_was_below(self):
        threshold(0.5)
        scores(make_customer(), 0.4, 0.6, 0.7, 0.49, 0.6)
        assert raised() == [(0.4, 0.6), (0.49, 0.6)]

    def test_a_first_score_above_it_is_a_crossing(self):
        threshold(0.5)
        store(make_customer(), 0.9)
        store(make_customer(), 0.1)
        assert raised() == [(None, 0.9)]

    def test_a_fall_raises_nothing(self):
        scores(customer := make_customer(), 0.9)
        threshold(0.5)
        scores(customer, 0.4)
        assert raised() == []

    def test_what_stood_above_it_before_the_rule_was_made_raises_nothing(self):
        scores(customer := make_customer(), 0.9)
        threshold(0.5)
        scores(customer, 0.95)
        assert raised() == []

    def test_an_inactive_rule_raises_nothing(self):
        threshold(0.5, active=False)
        scores(make_customer(), 0.4, 0.6)
        assert raised() == []

    @pytest.mark.parametrize("seed", range(5))
    def test_there_are_as_many_alerts_as_upward_crossings(self, seed):
        pick = random.Random(seed)
        rules = {at: threshold(at) for at in (0.25, 0.5, 0.75, 1.0)}
        people = make_customers(4)
        histories = {person: [pick.choice([pick.random(), 0.5, 0.75, 1.0]) for _ in range(12)] for person in people}
        for round_ in range(12):
            for person in people:
                edit(person, tenure=round_ % 2 + 5)
            store_together({person.pk: histories[person][round_] for person in people})
        for at, rule in rules.items():
            expected = [
                (person.pk, before, after)
                for person in people
                for before, after in zip([None, *histories[person]], histories[person], strict=False)
                if after >= at and (before is None or before < at)
            ]
            found = Alert.objects.filter(rule=rule).values_list("customer_id", "score_before", "score")
            assert sorted(found, key=str) == sorted(expected, key=str)


class TestRise:
    def test_a_score_that_rises_by_more_raises_one_alert_and_by_just_that_none(self):
        rise(0.25)
        scores(make_customer(), 0.25, 0.5)
        scores(make_customer(), 0.25, 0.5625)
        assert raised() == [(0.25, 0.5625)]

    def test_it_is_measured_from_the_lowest_of_the_days(self):
        rise(0.2)
        scores(make_customer(), 0.3, 0.2, 0.3, 0.35, 0.45)
        assert raised() == [(0.2, 0.45)]

    def test_what_stood_before_the_days_is_forgotten_and_what_stood_into_them_is_not(self):
        rise(0.2, days=7)
        slow, sudden = make_customer(), make_customer()
        scores(slow, 0.1)
        scores(sudden, 0.1)
        grow_older(20)
        scores(slow, 0.25)
        grow_older(10)
        scores(slow, 0.4)
        scores(sudden, 0.4)
        assert raised() == [(0.1, 0.4)]
        assert Alert.objects.get().customer_id == sudden.pk

    def test_after_an_alert_it_is_measured_anew(self):
        rise(0.2)
        scores(make_customer(), 0.1, 0.4, 0.45, 0.55, 0.65)
        assert raised() == [(0.1, 0.4), (0.4, 0.65)]

    def test_who_falls_and_rises_again_raises_again(self):
        rise(0.2)
        scores(make_customer(), 0.1, 0.4, 0.15, 0.4)
        assert raised() == [(0.1, 0.4), (0.15, 0.4)]

    def test_a_first_score_is_no_rise(self):
        rise(0.2)
        store(make_customer(), 0.9)
        assert raised() == []

    def test_an_alert_of_one_rule_is_nothing_to_another(self):
        small, large = rise(0.1), rise(0.3)
        scores(make_customer(), 0.1, 0.3, 0.45)
        assert raised(small) == [(0.1, 0.3), (0.3, 0.45)]
        assert raised(large) == [(0.1, 0.45)]

    @pytest.mark.parametrize("seed", range(5))
    def test_it_raises_what_its_definition_says(self, seed):
        pick = random.Random(seed)
        rise(0.25)
        customer = make_customer()
        history = [pick.random() for _ in range(30)]
        scores(customer, *history)
        expected, lowest = [], history[0]
        for after in history[1:]:
            if after - lowest > 0.25:
                expected.append((lowest, after))
                lowest = after
            lowest = min(lowest, after)
        assert raised() == expected
        assert expected


class TestSegment:
    @pytest.mark.parametrize(
        ("segment", "inside", "outside"),
        [
            ({"geography": "Spain"}, {"geography": "Spain"}, {"geography": "France"}),
            ({"is_active_member": False}, {"is_active_member": False}, {"is_active_member": True}),
            ({"num_of_products": 2}, {"num_of_products": 2}, {"num_of_products": 1}),
            ({"has_cr_card": True}, {"has_cr_card": True}, {"has_cr_card": False}),
            ({"least_balance": Decimal(100)}, {"balance": Decimal(100)}, {"balance": Decimal("99.99")}),
        ],
    )
    def test_only_those_of_the_segment_raise_alerts(self, segment, inside, outside):
        threshold(0.5, **segment)
        member, other = make_customer(**inside), make_customer(**outside)
        store(member, 0.9)
        store(other, 0.9)
        assert [alert.customer_id for alert in Alert.objects.all()] == [member.pk]


class TestReleases:
    @pytest.mark.parametrize("make_rule", [threshold, lambda **fields: rise(0.2, **fields)])
    def test_what_only_another_model_moved_raises_nothing_unless_the_rule_counts_it(self, make_rule):
        quiet, loud = make_rule(), make_rule(counts_releases=True)
        scores(customer := make_customer(), 0.3)
        another_release()
        store(customer, 0.7)
        assert (raised(quiet), raised(loud)) == ([], [(0.3, 0.7)])

    def test_a_request_for_the_score_changes_nothing_of_that(self):
        threshold(0.5)
        scores(customer := make_customer(), 0.3)
        another_release()
        store(customer, 0.7, cause=ScoreRecord.Cause.ANALYZE)
        assert raised() == []

    def test_an_edit_and_another_model_together_count(self):
        threshold(0.5)
        scores(customer := make_customer(), 0.3)
        another_release()
        scores(customer, 0.7)
        assert raised() == [(0.3, 0.7)]

    def test_a_rise_is_not_measured_from_before_what_a_model_moved(self):
        rise(0.2)
        scores(customer := make_customer(), 0.1)
        another_release()
        store(customer, 0.5)
        scores(customer, 0.6)
        assert raised() == []
        scores(customer, 0.75)
        assert raised() == [(0.5, 0.75)]

    def test_a_wrong_score_that_an_audit_repairs_counts(self):
        threshold(0.5)
        scores(customer := make_customer(), 0.3)
        store(customer, 0.7, cause=ScoreRecord.Cause.AUDIT)
        assert raised() == [(0.3, 0.7)]

    def test_a_new_customer_counts_whatever_was_released_meanwhile(self):
        threshold(0.5)
        customer = make_customer()
        another_release()
        store(customer, 0.9)
        assert raised() == [(None, 0.9)]


class TestOnceAndNeverLost:
    def test_many_at_once_raise_an_alert_each_and_one_message(self):
        rule = threshold(0.5, recipients="ann@example.org", by_webhook=True)
        people = make_customers(50)
        store_together({person.pk: 0.4 + 0.01 * number for number, person in enumerate(people)})
        assert Alert.objects.count() == 40
        assert sorted(Delivery.objects.values_list("rule", "channel", "alerts", "state")) == [
            (rule.pk, "e-mail", 40, "waiting"),
            (rule.pk, "webhook", 40, "waiting"),
        ]
        assert {alert.batch for alert in Alert.objects.all()} == {it.batch for it in Delivery.objects.all()}

    def test_a_rule_without_addresses_makes_no_message(self):
        threshold(0.5)
        store(make_customer(), 0.9)
        assert (Alert.objects.count(), Delivery.objects.count()) == (1, 0)

    def test_jobs_that_run_twice_and_calls_of_analyze_raise_nothing_more(self):
        threshold(0.01)
        customer = make_customer()
        rescore(customer)
        scorer.analyze(customer.pk)
        scorer.analyze(customer.pk)
        assert scorer.rescore_batch().stored == 0
        assert Alert.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_drains_and_people_who_ask_at_the_same_time_raise_one_between_them(self):
        active_model()
        threshold(0.001)
        customer = make_customer()
        ask, drain = partial(scorer.analyze, customer.pk), scorer.rescore_batch
        together(ask, drain, ask, drain)
        assert ScoreRecord.objects.count() >= 2
        assert Alert.objects.count() == 1

    def test_with_a_score_that_is_rolled_back_goes_its_alert(self):
        threshold(0.5)
        customer = make_customer()
        savepoint = transaction.savepoint()
        store(customer, 0.9)
        assert Alert.objects.exists()
        transaction.savepoint_rollback(savepoint)
        assert not Alert.objects.exists()
        store(customer, 0.9)
        assert Alert.objects.count() == 1

    def test_the_database_takes_one_alert_for_a_score_and_rule(self):
        threshold(0.5)
        store(make_customer(), 0.9)
        alert = Alert.objects.get()
        alert.pk = None
        with pytest.raises(IntegrityError), transaction.atomic():
            alert.save()

    def test_alerts_that_cannot_be_raised_never_keep_a_score_from_being_stored(self):
        threshold(0.5)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE events_alert ADD CHECK (score < 0.95) NOT VALID")
        customer = make_customer()
        store(customer, 0.99)
        assert Customer.objects.get(pk=customer.pk).churn_risk_score == 0.99
        assert not Alert.objects.exists()


GOOD = {"name": "rule", "kind": "threshold", "threshold": 0.5}
A_RISE = {"name": "rule", "kind": "rise", "rise": 0.2, "days": 7}
BAD = [
    {**GOOD, "kind": "fall"},
    {**GOOD, "threshold": None},
    {**GOOD, "threshold": 0.0},
    {**GOOD, "threshold": 1.1},
    {**GOOD, "threshold": float("nan")},
    {**GOOD, "rise": 0.2},
    {**GOOD, "days": 7},
    {**A_RISE, "rise": None},
    {**A_RISE, "rise": 0.0},
    {**A_RISE, "rise": float("nan")},
    {**A_RISE, "days": None},
    {**A_RISE, "days": 0},
    {**A_RISE, "days": 366},
    {**A_RISE, "threshold": 0.5},
    {**GOOD, "geography": " Atlantis"},
    {**GOOD, "num_of_products": 0},
    {**GOOD, "least_balance": Decimal(-1)},
]


@pytest.mark.parametrize("fields", BAD)
def test_the_database_refuses_a_rule_that_says_nothing(fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        AlertRule.objects.create(**fields)


def test_it_refuses_a_balance_that_is_no_number():
    threshold(0.5)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE events_alertrule SET least_balance = 'NaN'")


@pytest.mark.parametrize("fields", BAD)
def test_so_does_a_form_before_it(fields):
    with pytest.raises(ValidationError):
        AlertRule(**fields).full_clean()


@pytest.mark.parametrize("fields", [GOOD, A_RISE])
def test_a_rule_needs_no_more_than_its_condition(fields):
    AlertRule(**fields).full_clean()
    AlertRule.objects.create(**fields)


def test_recipients_are_addresses():
    rule = AlertRule(**GOOD, recipients="ann@example.org,\nbob@example.org; eve@example.org")
    rule.full_clean()
    assert rule.addresses() == ["ann@example.org", "bob@example.org", "eve@example.org"]
    with pytest.raises(ValidationError, match="nobody is not an e-mail address"):
        AlertRule(**GOOD, recipients="ann@example.org nobody").full_clean()


def test_a_rise_is_not_looked_for_further_back_than_the_history_goes(settings):
    settings.HISTORY_DAYS = 6
    with pytest.raises(ValidationError, match="Enter 6 days or less"):
        AlertRule(**A_RISE).full_clean()


def test_raised_at_is_now():
    threshold(0.5)
    store(make_customer(), 0.9)
    assert abs(timezone.now() - Alert.objects.get().raised_at) < timedelta(minutes=5)
