"""Why a customer has this score, and what the answer says of its own age."""

import pytest

from customers import insights
from customers.ml_service import predict_churn
from customers.ml_service.schema import FEATURES
from customers.models import Customer, ModelRelease, ScoreRecord
from tests.factories import SOMEBODY, make_customer, make_scored

pytestmark = pytest.mark.django_db


def test_a_current_score_is_explained_by_contributions_that_add_up_to_it():
    customer = make_scored(age=58)
    answer = insights.of_customer(customer.pk)
    assert answer["current"] is True
    assert answer["explained_score"] == pytest.approx(answer["churn_risk_score"], abs=1e-9)
    assert tuple(answer["contributions"]) == FEATURES
    total = answer["base_value"] + sum(answer["contributions"].values())
    assert total == pytest.approx(customer.churn_risk_score, abs=1e-6)


def test_a_stale_score_is_shown_as_such_beside_what_the_present_fields_give():
    customer = make_scored(age=30)
    Customer.objects.filter(pk=customer.pk).update(age=71)
    answer = insights.of_customer(customer.pk)
    assert answer["current"] is False
    assert answer["churn_risk_score"] == customer.churn_risk_score
    assert answer["explained_score"] == pytest.approx(predict_churn({**SOMEBODY, "age": 71}), abs=1e-9)


def test_the_score_of_a_former_model_is_not_current(assets, another_forest):
    customer = make_scored()
    (assets / "model.pkl").write_bytes(another_forest.read_bytes())
    answer = insights.of_customer(customer.pk)
    assert answer["current"] is False
    assert answer["model_release"] != ModelRelease.objects.active().pk


def test_a_customer_without_a_score_is_explained_all_the_same():
    answer = insights.of_customer(make_customer().pk)
    assert (answer["churn_risk_score"], answer["scored_at"], answer["current"]) == (None, None, False)
    assert 0 <= answer["explained_score"] <= 1


def test_asking_why_stores_nothing():
    customer = make_customer()
    insights.of_customer(customer.pk)
    assert list(Customer.objects.stale()) == [customer]
    assert not ScoreRecord.objects.exists()


def test_reasons_are_in_plain_words():
    customer = make_scored(age=65, is_active_member=False)
    reasons = insights.of_customer(customer.pk)["reasons"]
    assert "Inactive member" in str(reasons)


def test_nobody_is_there():
    with pytest.raises(Customer.DoesNotExist):
        insights.of_customer(999)
