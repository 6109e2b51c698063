"""The value at risk: the balance that was scored times the risk, to the cent, for as long as the score stands."""

import random
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from customers.ml_service.schema import BOUNDS
from customers.models import Customer, ScoringFailure
from customers.releases.active import active_model
from customers.scoring import scorer
from customers.scoring.claims import claim_one
from tests.factories import (
    answers,
    edit,
    make_customer,
    make_scored,
    no_trigger,
    random_fields,
    rescore,
    write_as_scorer,
)
from tests.money import value_at_risk

pytestmark = pytest.mark.django_db

MOST = Decimal(BOUNDS["balance"].high)


def sql(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def bank_trigger(name, does):
    sql(f'CREATE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does} RETURN NEW; END $$')
    sql(f'CREATE TRIGGER "{name}" BEFORE UPDATE ON customers_customer FOR EACH ROW EXECUTE FUNCTION "{name}"()')


def store(customer, score):
    """As if the model had said that."""
    _forest, release = active_model()
    with transaction.atomic(), connection.cursor() as cursor, scorer.scorer_rights(cursor):
        claim = claim_one(cursor, customer.pk)
        assert scorer.store(cursor, claim, answers(score), release).rows == 1


def stored_value(customer):
    return Customer.objects.values_list("value_at_risk", flat=True).get(pk=customer.pk)


def assert_right(*customers):
    for customer in customers:
        customer.refresh_from_db()
        assert customer.is_current()
        assert customer.value_at_risk == value_at_risk(customer.balance, customer.churn_risk_score)


def test_a_drain_stores_it_to_the_cent():
    pick = random.Random(37)
    customers = [make_customer(**random_fields(pick)) for _ in range(200)]
    assert all(stored_value(customer) is None for customer in customers)
    assert scorer.rescore_batch().stored == 200
    assert_right(*customers)
    assert len({stored_value(customer) for customer in customers}) > 50


@pytest.mark.parametrize("balance", [Decimal(0), Decimal("0.01"), Decimal("123456.78"), MOST])
@pytest.mark.parametrize("score", [0.0, 5e-324, 1e-13, 0.005, 1 / 3, 0.123456789012345678, 0.9999999999999999, 1.0])
def test_the_extremes_are_stored_and_rounded_once(balance, score):
    customer = make_customer(balance=balance)
    store(customer, score)
    assert stored_value(customer) == value_at_risk(balance, score)
    assert 0 <= stored_value(customer) <= balance


def test_half_a_cent_is_rounded_up():
    customer = make_customer(balance=Decimal("0.01"))
    store(customer, 0.5)
    assert stored_value(customer) == Decimal("0.01")


def test_it_belongs_to_the_score_that_is_stored_and_follows_the_next_one():
    customer = make_scored()
    before = stored_value(customer)
    edit(customer, balance=Decimal("99999.99"))
    assert stored_value(customer) == before > 0
    rescore(customer)
    assert stored_value(customer) != before
    assert_right(customer)


def test_an_objection_clears_it_and_its_withdrawal_brings_it_back():
    customer = make_scored()
    edit(customer, objected_at=Now())
    assert stored_value(customer) is None
    edit(customer, objected_at=None)
    rescore(customer)
    assert_right(customer)


def test_a_score_that_former_code_stores_gets_the_value_that_belongs_to_it():
    """A worker of the version before knows nothing of the column, and may go on during an upgrade."""
    new = make_customer()
    known = make_scored()
    write_as_scorer(
        new, churn_risk_score=0.25, scored_version=F("version"), stale_since=None, scored_at=Now(), scored_by=None
    )
    edit(known, balance=Decimal("80000.00"))
    write_as_scorer(known, scored_version=F("version"), stale_since=None, scored_at=Now())  # by chance the same score
    assert stored_value(new) == Decimal("12500.00")
    assert_right(known)


class TestOwnTriggersOfTheBank:
    @pytest.mark.parametrize("name", ["a_bank", "zzzz_bank", "~bank"])
    def test_a_balance_that_one_changes_with_the_score_is_scored_next(self, name):
        customer = make_customer(balance=Decimal("50000.00"))
        bank_trigger(name, "IF NEW.churn_risk_score > 0 THEN NEW.balance := 120000; END IF;")
        scorer.rescore_batch()
        customer.refresh_from_db()
        assert customer.stale_since is not None
        assert customer.value_at_risk == value_at_risk(Decimal("50000.00"), customer.churn_risk_score)
        assert scorer.rescore_batch().stored == 1
        assert_right(customer)
        assert customer.balance == 120000

    @pytest.mark.parametrize("name", ["a_bank", "~bank"])
    def test_one_that_changes_the_balance_in_an_edit_leaves_no_wrong_value(self, name):
        customer = make_scored()
        bank_trigger(name, "IF NEW.surname = 'Closed' THEN NEW.balance := 0; NEW.value_at_risk := 7; END IF;")
        edit(customer, surname="Closed")
        customer.refresh_from_db()
        assert customer.stale_since is not None
        edit(customer, surname="Open")
        rescore(customer)
        assert_right(customer)

    def test_a_value_that_one_writes_over_the_scorers_is_refused(self):
        customer = make_customer()
        bank_trigger("~bank", "IF NEW.churn_risk_score > 0 THEN NEW.value_at_risk := 0; END IF;")
        assert scorer.rescore_batch() == scorer.Batch(claimed=1, refused=1)
        assert "gives customer" in ScoringFailure.objects.get().error
        assert stored_value(customer) is None

    def test_no_edit_fails_for_a_score_that_one_writes_into_a_row_that_waits_for_its_own(self):
        customer = make_customer()
        bank_trigger("~bank", "IF NEW.surname = 'Risky' THEN NEW.churn_risk_score := 0.9; END IF;")
        edit(customer, surname="Risky")
        edit(customer, surname="Calm")
        rescore(customer)
        assert_right(customer)


@pytest.mark.parametrize(
    "change",
    ["value_at_risk = NULL", "churn_risk_score = NULL, scored_version = NULL, objected_at = '2026-01-01'"],
)
def test_the_table_itself_refuses_one_without_the_other(change):
    make_scored()
    with (
        no_trigger(),
        pytest.raises(IntegrityError, match=r"customer_(value_goes_with_score|objected_means_no_score)"),
        transaction.atomic(),
    ):
        sql(f"UPDATE customers_customer SET {change}")
