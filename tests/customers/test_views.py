"""The JSON views as programs see them: statuses, keys, and what is stored by asking."""

import json

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse

from customers import views
from customers.ml_service import predict_churn
from customers.models import Customer, ScoreRecord
from tests.factories import SOMEBODY, make_customer, make_customers, make_scored
from tests.others import outsider

pytestmark = pytest.mark.django_db

ADDRESSES = ["/customers/analyze/{}/", "/customers/insights/{}/"]
NOBODYS_IDS = [0, 999_999, 2**63 - 1, 2**63, 10**40, "9" * 5000]


def analyze_address(customer):
    return f"/customers/analyze/{customer.pk}/"


class TestAnalyze:
    def test_it_answers_with_two_keys_and_stores_what_it_answers(self, client):
        customer = make_customer()
        response = client.get(analyze_address(customer))
        customer.refresh_from_db()
        assert response.status_code == 200
        assert response["Content-Type"] == "application/json"
        assert response.json() == {"customer_id": customer.pk, "churn_risk_score": customer.churn_risk_score}
        assert customer.churn_risk_score == pytest.approx(predict_churn(SOMEBODY), abs=1e-12)

    def test_every_call_scores_and_stores_again(self, client):
        customer = make_customer()
        scores = [client.get(analyze_address(customer)).json()["churn_risk_score"] for _ in range(3)]
        assert len(set(scores)) == 1
        assert ScoreRecord.objects.filter(customer_id=customer.pk).count() == 3

    def test_it_sees_an_edit_that_nobody_has_scored_yet(self, client):
        customer = make_scored()
        Customer.objects.filter(pk=customer.pk).update(age=71)
        expected = predict_churn({**SOMEBODY, "age": 71})
        assert client.get(analyze_address(customer)).json()["churn_risk_score"] == pytest.approx(expected, abs=1e-12)

    def test_it_stores_for_the_one_who_was_asked_for_only(self, client):
        asked, other = make_customers(2)
        client.get(analyze_address(asked))
        assert list(Customer.objects.stale()) == [other]

    def test_it_works_on_a_bare_request_that_has_no_user(self):
        customer = make_customer()
        request = RequestFactory().get(analyze_address(customer))
        response = views.analyze_customer(request, customer_id=customer.pk)
        assert json.loads(response.content).keys() == {"customer_id", "churn_risk_score"}

    def test_its_address_can_be_reversed(self):
        assert reverse("customers:analyze", args=[1]) == "/customers/analyze/1/"

    def test_without_a_model_it_is_unavailable_and_says_why(self, client, assets):
        customer = make_customer()
        (assets / "model.pkl").unlink()
        response = client.get(analyze_address(customer))
        assert response.status_code == 503
        assert "model.pkl" in response.json()["error"]
        assert not ScoreRecord.objects.exists()

    def test_values_that_the_model_does_not_know_are_named(self, client):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE customers_customer DROP CONSTRAINT customer_num_of_products_is_possible")
        response = client.get(analyze_address(make_customer(num_of_products=0)))
        assert response.status_code == 422
        assert "num_of_products" in response.json()["error"]

    @pytest.mark.django_db(transaction=True)
    def test_a_customer_whom_somebody_is_editing_is_busy_and_nothing_is_written(self, client, settings):
        settings.ANALYZE_LOCK_SECONDS = 0.05
        customer = make_scored()
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 55")
            response = client.get(analyze_address(customer))
            editor.commit()
        assert response.status_code == 503
        assert response["Retry-After"] == "1"
        assert "editing" in response.json()["error"]
        assert ScoreRecord.objects.count() == 1
        assert client.get(analyze_address(customer)).status_code == 200


class TestInsights:
    def test_it_tells_score_age_and_reasons_and_stores_nothing(self, client):
        customer = make_scored()
        answer = client.get(f"/customers/insights/{customer.pk}/").json()
        assert answer["customer_id"] == customer.pk
        assert answer["churn_risk_score"] == customer.churn_risk_score
        assert answer["current"] is True
        assert answer["reasons"]
        assert ScoreRecord.objects.count() == 1

    def test_without_a_model_it_is_unavailable_and_says_why(self, client, assets):
        customer = make_customer()
        (assets / "model.pkl").unlink()
        response = client.get(f"/customers/insights/{customer.pk}/")
        assert response.status_code == 503
        assert "model.pkl" in response.json()["error"]


@pytest.mark.parametrize("address", ADDRESSES)
class TestEveryView:
    @pytest.mark.parametrize("nobody", NOBODYS_IDS, ids=lambda nobody: str(nobody)[:20])
    def test_nobody_is_there(self, client, address, nobody):
        response = client.get(address.format(nobody))
        assert response.status_code == 404
        assert response.json().keys() == {"error"}

    @pytest.mark.parametrize("nonsense", ["abc", "-1", "1.5", "1e3", "", "%00", "\u0661"])
    def test_what_is_no_id_is_no_address(self, client, address, nonsense):
        response = client.get(address.format(nonsense))
        assert response.status_code == 404
        assert response.json().keys() == {"error"}

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
    def test_it_is_for_reading_only(self, address, method):
        customer = make_customer()
        strict = Client(enforce_csrf_checks=True)  # as outside of tests
        response = strict.generic(method, address.format(customer.pk))
        assert response.status_code == 405
        assert response["Allow"] == "GET, HEAD"
        assert method in response.json()["error"]
        assert list(Customer.objects.stale()) == [customer]

    def test_head_is_answered_like_get(self, client, address):
        assert client.head(address.format(make_customer().pk)).status_code == 200

    @pytest.mark.parametrize("customer_id", [0, -1, 2**63, 2**100])
    def test_called_directly_with_an_impossible_id_it_says_that_nobody_is_there(self, address, customer_id):
        view = views.analyze_customer if "analyze" in address else views.customer_insights
        assert view(RequestFactory().get("/"), customer_id=customer_id).status_code == 404
