"""Why a customer has this score, and what the answer says of its own age."""

import pytest

from customers.api import insights
from customers.api.validation import WhatIfQuestion
from customers.ml_service import NOTE, predict_churn
from customers.ml_service.schema import FEATURES
from customers.models import Customer, ModelRelease, ScoreRecord
from customers.presentation import bands
from tests.factories import A_CUSTOMER, make_customer, make_scored

pytestmark = pytest.mark.django_db


def test_a_current_score_is_explained_by_contributions_that_add_up_to_it():
    customer = make_scored(age=58)
    answer = insights.of_customer(customer.pk)
    assert answer["current"] is True
    assert answer["explained_score"] == pytest.approx(answer["churn_risk_score"], abs=1e-9)
    assert tuple(answer["contributions"]) == FEATURES
    total = answer["base_value"] + sum(answer["contributions"].values())
    assert total == pytest.approx(customer.churn_risk_score, abs=1e-6)
    assert answer["value_at_risk"] == customer.value_at_risk


def test_a_stale_score_is_shown_as_such_beside_what_the_present_fields_give():
    customer = make_scored(age=30)
    Customer.objects.filter(pk=customer.pk).update(age=71)
    answer = insights.of_customer(customer.pk)
    assert answer["current"] is False
    assert answer["churn_risk_score"] == customer.churn_risk_score
    assert answer["explained_score"] == pytest.approx(predict_churn({**A_CUSTOMER, "age": 71}), abs=1e-9)


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
    assert "Inactive member: +" in str(reasons)


def test_an_unknown_customer_is_not_there():
    with pytest.raises(Customer.DoesNotExist, match="There is no customer 999"):
        insights.of_customer(999)


def test_the_band_is_that_of_the_stored_score(settings):
    customer = make_scored()
    settings.RISK_BANDS = [customer.churn_risk_score, 0.98, 0.99]
    Customer.objects.filter(pk=customer.pk).update(age=71)
    assert insights.of_customer(customer.pk)["band"] == "medium"
    assert insights.of_customer(make_customer().pk)["band"] is None


def test_suggestions_are_for_the_fields_as_they_are_and_the_best_comes_first():
    customer = make_scored(age=50)
    Customer.objects.filter(pk=customer.pk).update(num_of_products=3)
    answer = insights.of_customer(customer.pk)
    scores = [it["score_after"] for it in answer["suggestions"]]
    assert scores == sorted(scores)
    assert scores[0] < answer["explained_score"]
    best = answer["suggestions"][0]
    now = {**A_CUSTOMER, "age": 50, "num_of_products": 3}
    assert best["score_after"] == pytest.approx(predict_churn({**now, **best["changes"]}), abs=1e-12)
    assert best["points_gained"] == pytest.approx(100 * (answer["explained_score"] - best["score_after"]))
    assert best["band_after"] == bands.band(best["score_after"])


def test_it_says_that_association_is_no_effect_in_the_language_of_the_caller():
    assert insights.of_customer(make_customer().pk)["caveat"] == NOTE


def test_it_names_the_model_that_explains_beside_the_one_that_scored(assets, another_forest):
    customer = make_scored()
    (assets / "model.pkl").write_bytes(another_forest.read_bytes())
    answer = insights.of_customer(customer.pk)
    assert (answer["model_release"], answer["explained_by"]) == (
        customer.scored_by_id,
        ModelRelease.objects.active().pk,
    )


class TestWhatIf:
    def test_of_a_stored_customer_the_fields_as_they_are_count(self):
        customer = make_scored(age=30)
        Customer.objects.filter(pk=customer.pk).update(age=50)
        answer = insights.answer_what_if(WhatIfQuestion(customer.pk, {}, {"num_of_products": 2}))
        before, after = (
            predict_churn({**A_CUSTOMER, "age": 50}),
            predict_churn({**A_CUSTOMER, "age": 50, "num_of_products": 2}),
        )
        assert (answer["customer_id"], answer["changes"]) == (customer.pk, {"num_of_products": 2})
        assert (answer["score_before"], answer["score_after"]) == (before, after)
        assert answer["change"] == after - before
        assert (answer["band_before"], answer["band_after"]) == (bands.band(before), bands.band(after))
        assert answer["model_release"] == ModelRelease.objects.active().pk

    def test_anybodys_values_will_do(self):
        answer = insights.answer_what_if(WhatIfQuestion(None, A_CUSTOMER, {}))
        assert answer["customer_id"] is None
        assert answer["score_before"] == answer["score_after"] == predict_churn(A_CUSTOMER)

    def test_it_stores_nothing(self):
        customer = make_customer()
        insights.answer_what_if(WhatIfQuestion(customer.pk, {}, {"age": 50}))
        assert list(Customer.objects.stale()) == [customer]
        assert not ScoreRecord.objects.exists()

    def test_an_unknown_customer_is_not_there(self):
        with pytest.raises(Customer.DoesNotExist, match="There is no customer 999"):
            insights.answer_what_if(WhatIfQuestion(999, {}, {}))
