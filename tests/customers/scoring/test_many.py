"""Many customers whom a program has scored now: whose scores are stored, and what becomes of the others."""

import random
from functools import partial
from time import monotonic

import pytest
from django.db import connection, transaction

from customers.ml_service import InputError, ModelError, predict_churn
from customers.models import Customer, ModelRelease, ScoreRecord
from customers.scoring import many, scorer
from customers.scoring.claims import CustomerBusyError
from customers.scoring.many import analyze_many
from tests.factories import A_CUSTOMER, edit, make_customer, make_customers, make_scored, random_fields
from tests.others import meanwhile, outsider, together

pytestmark = pytest.mark.django_db

SCORE = pytest.approx(predict_churn(A_CUSTOMER), abs=1e-12)


def analyze_at_random(ids, seed, times=30):
    pick = random.Random(seed)
    for _ in range(times):
        asked = pick.sample(ids, 20)
        assert analyze_many(asked).keys() == set(asked)


def edit_together(ids, seed, times=60):
    """Transactions of several rows, in any order."""
    pick = random.Random(seed)
    for _ in range(times):
        with transaction.atomic():
            for customer_id in pick.sample(ids, 4):
                Customer.objects.filter(pk=customer_id).update(**random_fields(pick))


def drain_a_little(times):
    for _ in range(times):
        scorer.rescore_batch(limit=7)


class TestScores:
    def test_each_is_stored_and_answered(self):
        customers = make_customers(5)
        outcomes = analyze_many([it.pk for it in customers])
        for customer in customers:
            customer.refresh_from_db()
            assert customer.is_current()
            assert outcomes[customer.pk] == customer.churn_risk_score

    def test_they_are_those_that_one_alone_would_get(self):
        customers = make_customers(5)
        outcomes = analyze_many([it.pk for it in customers])
        assert outcomes == {it.pk: pytest.approx(scorer.analyze(it.pk), abs=1e-12) for it in customers}

    def test_more_than_a_batch(self, monkeypatch):
        monkeypatch.setattr(many, "BATCH_ROWS", 2)
        ids = [it.pk for it in make_customers(7)]
        assert list(analyze_many(reversed(ids))) == ids

    def test_again_they_are_scored_again_and_one_named_twice_once(self):
        customer = make_customer()
        for _ in range(2):
            assert analyze_many([customer.pk, customer.pk]) == {customer.pk: SCORE}
        records = ScoreRecord.objects.filter(customer_id=customer.pk)
        assert list(records.values_list("cause", flat=True)) == ["analyze", "analyze"]


class TestOthers:
    def test_one_who_is_not_there_holds_up_no_other(self):
        customer = make_customer()
        outcomes = analyze_many([customer.pk, 999_999])
        assert outcomes[customer.pk] == SCORE
        assert isinstance(outcomes[999_999], Customer.DoesNotExist)
        assert str(outcomes[999_999]) == "There is no customer 999999."

    def test_nor_does_one_to_whom_the_model_has_no_answer(self):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE customers_customer DROP CONSTRAINT customer_num_of_products_is_possible")
        odd, customer = make_customer(num_of_products=0), make_customer()
        outcomes = analyze_many([odd.pk, customer.pk])
        assert outcomes[customer.pk] == SCORE
        assert isinstance(outcomes[odd.pk], InputError)
        assert outcomes[odd.pk].message.startswith("num_of_products is 0; expected")

    def test_nor_one_whom_the_database_refuses(self):
        refused, customer = make_customer(), make_customer()
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE customers_customer ADD CONSTRAINT bank CHECK"
                f" (customer_id <> {refused.pk} OR churn_risk_score IS NULL)"
            )
        outcomes = analyze_many([refused.pk, customer.pk])
        assert outcomes[customer.pk] == SCORE
        assert isinstance(outcomes[refused.pk], InputError)
        assert "Made Up" not in str(outcomes[refused.pk])

    def test_without_a_model_there_is_no_answer_at_all(self, assets):
        customer = make_customer()
        (assets / "model.pkl").unlink()
        with pytest.raises(ModelError):
            analyze_many([customer.pk])

    def test_a_release_in_the_middle_is_the_one_that_scores(self, monkeypatch):
        customers = make_customers(2)
        claim, pending = many.claim_free, [lambda: ModelRelease.objects.create(sha256="0" * 64)]

        def claim_then(cursor, ids):
            claimed = claim(cursor, ids)
            while pending:
                pending.pop()()
            return claimed

        monkeypatch.setattr(many, "claim_free", claim_then)
        analyze_many([it.pk for it in customers])
        for customer in customers:
            customer.refresh_from_db()
            assert customer.is_current()


@pytest.mark.django_db(transaction=True)
class TestBesideOpenEdits:
    def test_all_who_are_held_are_waited_for_as_long_as_one_is(self, settings):
        settings.ANALYZE_LOCK_SECONDS = 0.3
        held, free = make_customers(5), make_customer()
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 55 WHERE customer_id <> %s", [free.pk])
            began = monotonic()
            outcomes = analyze_many([*(it.pk for it in held), free.pk])
            assert monotonic() - began < 5 * 0.3
            editor.rollback()
        assert outcomes.pop(free.pk) == SCORE
        assert {type(it) for it in outcomes.values()} == {CustomerBusyError}
        assert ScoreRecord.objects.count() == 1

    def test_one_who_is_released_in_time_is_scored(self):
        customer = make_customer()
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 55")
            with meanwhile(lambda: setattr(self, "outcomes", analyze_many([customer.pk]))):
                editor.commit()
        assert self.outcomes == {customer.pk: pytest.approx(predict_churn({**A_CUSTOMER, "age": 55}))}

    def test_editors_drains_and_analyses_do_not_deadlock(self):
        ids = [it.pk for it in make_customers(30)]
        with meanwhile(lambda: drain_a_little(60)):
            together(*(partial(analyze_at_random, ids, seed) for seed in (1, 2)), partial(edit_together, ids, 3))
        while scorer.rescore_batch().claimed:
            pass
        for customer in Customer.objects.filter(stale_since=None):
            assert customer.churn_risk_score == pytest.approx(predict_churn(customer.features()), abs=1e-9)


def test_a_stale_score_is_replaced_by_that_of_the_present_fields():
    customer = make_scored()
    edit(customer, age=71)
    assert analyze_many([customer.pk]) == {customer.pk: pytest.approx(predict_churn({**A_CUSTOMER, "age": 71}))}
