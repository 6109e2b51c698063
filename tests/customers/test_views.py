"""The JSON views as programs see them: statuses, keys, and what is stored by asking."""

import json

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client, RequestFactory
from django.urls import reverse

from customers import views
from customers.ml_service import predict_churn
from customers.models import Customer, ScoreRecord
from customers.scoring import scorer
from tests.factories import A_CUSTOMER, make_customer, make_customers, make_scored
from tests.others import outsider
from tests.staff import with_token

pytestmark = pytest.mark.django_db

ADDRESSES = ["/customers/analyze/{}/", "/customers/insights/{}/", "/customers/history/{}/"]
VIEWS = dict(zip(ADDRESSES, [views.analyze_customer, views.customer_insights, views.customer_history], strict=True))
UNKNOWN_IDS = [0, 999_999, 2**63 - 1, 2**63, 10**40, "9" * 5000]


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
        assert customer.churn_risk_score == pytest.approx(predict_churn(A_CUSTOMER), abs=1e-12)

    def test_every_call_scores_and_stores_again(self, client):
        customer = make_customer()
        scores = [client.get(analyze_address(customer)).json()["churn_risk_score"] for _ in range(3)]
        assert len(set(scores)) == 1
        assert ScoreRecord.objects.filter(customer_id=customer.pk).count() == 3

    def test_it_sees_an_edit_that_is_not_scored_yet(self, client):
        customer = make_scored()
        Customer.objects.filter(pk=customer.pk).update(age=71)
        expected = predict_churn({**A_CUSTOMER, "age": 71})
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
    def test_a_customer_in_an_open_edit_is_busy_and_nothing_is_written(self, client, settings):
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


def ask_many(client, asked, **options):
    return client.post("/customers/analyze/", asked, **{"content_type": "application/json", **options})


class TestAnalyzeMany:
    def test_results_come_in_the_order_asked_also_twice(self, client):
        first, second = make_customers(2)
        answer = ask_many(client, {"customer_ids": [second.pk, first.pk, second.pk]}).json()
        for customer in (first, second):
            customer.refresh_from_db()
        expected = [{"customer_id": it.pk, "churn_risk_score": it.churn_risk_score} for it in (second, first, second)]
        assert answer == {"results": expected}

    def test_who_can_not_be_scored_has_the_answer_that_one_alone_would_get(self, client):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE customers_customer DROP CONSTRAINT customer_num_of_products_is_possible")
        odd, customer = make_customer(num_of_products=0), make_customer()
        results = ask_many(client, {"customer_ids": [999_999, odd.pk, customer.pk]}).json()["results"]
        for result in results[:2]:
            alone = client.get(f"/customers/analyze/{result['customer_id']}/")
            assert (result["status"], result["error"]) == (alone.status_code, alone.json()["error"])
        assert results[2].keys() == {"customer_id", "churn_risk_score"}

    def test_a_thousand_of_the_longest_ids_fit_into_a_body(self, client):
        ids = [2**63 - 1 - i for i in range(1000)]
        response = ask_many(client, json.dumps({"customer_ids": ids}, indent=8))
        assert {it["status"] for it in response.json()["results"]} == {404}

    def test_a_wrong_list_is_refused_by_name(self, client):
        response = ask_many(client, {"customer_ids": ["7"]})
        assert (response.status_code, response.json()["fields"].keys()) == (422, {"customer_ids"})

    def test_without_a_model_it_is_unavailable_and_says_why(self, client, assets):
        (assets / "model.pkl").unlink()
        response = ask_many(client, {"customer_ids": [1]})
        assert response.status_code == 503
        assert "model.pkl" in response.json()["error"]

    def test_it_works_on_a_bare_request_that_has_no_user(self):
        asked = {"customer_ids": [make_customer().pk]}
        request = RequestFactory().post("/", asked, content_type="application/json")
        assert views.analyze_customers(request).status_code == 200

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
    def test_it_is_for_post_only(self, method):
        response = Client(enforce_csrf_checks=True).generic(method, "/customers/analyze/")
        assert (response.status_code, response["Allow"]) == (405, "POST")


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


class TestHistory:
    def test_it_tells_page_by_page(self, client):
        customer = make_scored()
        Customer.objects.filter(pk=customer.pk).update(age=71)
        client.get(analyze_address(customer))
        address = f"/customers/history/{customer.pk}/"
        answer = client.get(address, {"limit": 1}).json()
        (entry,) = answer["entries"]
        assert answer["customer_id"] == customer.pk
        assert (entry["cause"], entry["changed"], entry["previous_score"]) == (
            "analyze",
            ["age"],
            customer.churn_risk_score,
        )
        assert entry["edits"][0]["changes"] == {"age": {"before": 40, "after": 71}}
        rest = client.get(address, {"limit": 1, "before": answer["next_before"]}).json()
        assert [entry["score"] for entry in rest["entries"]] == [customer.churn_risk_score]
        assert rest["next_before"] is None

    def test_twenty_scores_are_a_page(self, client):
        customer = make_scored()
        ScoreRecord.objects.bulk_create(
            ScoreRecord(customer_id=customer.pk, score=0.5, version=1, scored_by_id=customer.scored_by_id)
            for _ in range(20)
        )
        assert len(client.get(f"/customers/history/{customer.pk}/").json()["entries"]) == 20

    def test_a_page_that_cannot_be_is_refused_with_what_is_expected(self, client):
        response = client.get(f"/customers/history/{make_customer().pk}/", {"limit": "all", "before": "0"})
        assert response.status_code == 422
        assert response.json()["fields"].keys() == {"limit", "before"}
        assert "limit, before" in response.json()["error"]

    def test_it_needs_no_model(self, client, assets):
        customer = make_scored()
        (assets / "model.pkl").unlink()
        assert client.get(f"/customers/history/{customer.pk}/").status_code == 200


def ask(client, asked, **options):
    return client.post("/customers/what-if/", asked, **{"content_type": "application/json", **options})


class TestWhatIf:
    def test_it_answers_with_both_scores_and_stores_nothing(self, client):
        customer = make_customer()
        response = ask(client, {"customer_id": customer.pk, "changes": {"is_active_member": True}})
        answer = response.json()
        assert response.status_code == 200
        assert answer["score_before"] == pytest.approx(predict_churn(A_CUSTOMER), abs=1e-12)
        assert answer["score_after"] == pytest.approx(predict_churn({**A_CUSTOMER, "is_active_member": 1}), abs=1e-12)
        assert "not a guaranteed effect" in answer["caveat"]
        assert list(Customer.objects.stale()) == [customer]
        assert not ScoreRecord.objects.exists()

    def test_anybodys_values_are_taken_as_json_has_them(self, client):
        customer = {**A_CUSTOMER, "balance": 50000.0, "has_cr_card": 1}
        answer = ask(client, {"customer": customer, "changes": {"geography": "Spain", "age": 41}}).json()
        assert answer["score_after"] == pytest.approx(predict_churn({**A_CUSTOMER, "geography": "Spain", "age": 41}))
        assert answer["changes"] == {"geography": "Spain", "age": 41}

    def test_all_wrong_fields_are_named_at_once(self, client):
        response = ask(client, {"customer": {"age": 12, "salary": 1}, "changes": {"balance": "much"}, "why": True})
        assert response.status_code == 422
        fields = response.json()["fields"]
        assert fields.keys() == {*A_CUSTOMER, "salary", "why"}
        assert fields["balance"] == "expected a number from -9,999,999,999,999.99 to 9,999,999,999,999.99"
        assert all(name in response.json()["error"] for name in fields)

    @pytest.mark.parametrize(
        "body",
        [
            b" ",
            b"{",
            b"age=40",
            b"\xff\xfe\x00",
            b'{"customer_id": ' + b"9" * 5000 + b"}",
            b"[" * 9000,
            b"[]",
            b"7",
            b"null",
        ],
        ids=lambda body: repr(body[:9]),
    )
    def test_what_is_no_json_object_is_refused(self, client, body):
        response = ask(client, body)
        assert response.status_code == 400
        assert response.json().keys() == {"error"}

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "true", "1" + "0" * 400])
    def test_numbers_that_are_none_are_refused_by_name(self, client, number):
        response = ask(client, f'{{"customer_id": 1, "changes": {{"age": {number}}}}}')
        assert (response.status_code, response.json()["fields"].keys()) == (422, {"age"})

    @pytest.mark.parametrize(("size", "limit"), [(16_385, "16384"), (3_000_000, "1,048,576")])
    def test_a_body_too_large_is_refused(self, client, size, limit):
        response = ask(client, b'"' + b"x" * (size - 2) + b'"')
        assert response.status_code == 413
        assert limit in response.json()["error"]

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
    )
    def test_another_content_type_is_refused(self, client, content_type):
        """Among them all that a form on another site could send with the user's session."""
        response = ask(client, b'{"customer_id": 1}', content_type=content_type)
        assert response.status_code == 415
        assert "application/json" in response.json()["error"]

    def test_a_charset_beside_the_content_type_is_no_other_type(self, client):
        answer = ask(client, {"customer_id": make_customer().pk}, content_type="application/json; charset=utf-8")
        assert answer.status_code == 200

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
    def test_it_is_for_post_only(self, method):
        response = Client(enforce_csrf_checks=True).generic(method, "/customers/what-if/")
        assert (response.status_code, response["Allow"]) == (405, "POST")

    def test_a_program_needs_its_token_and_no_csrf_token(self, settings):
        settings.API_LOGIN_REQUIRED = True
        asked = {"customer": {**A_CUSTOMER, "balance": 1}}
        assert ask(Client(enforce_csrf_checks=True), asked).status_code == 401
        assert ask(with_token("read"), asked).status_code == 200

    def test_it_works_on_a_bare_request_that_has_no_user(self):
        request = RequestFactory().post("/", {"customer_id": make_customer().pk}, content_type="application/json")
        assert views.what_if(request).status_code == 200

    @pytest.mark.parametrize("customer_id", [999_999, 2**63 - 1])
    def test_an_unknown_customer_is_not_there(self, client, customer_id):
        response = ask(client, {"customer_id": customer_id})
        assert response.status_code == 404
        assert str(customer_id) in response.json()["error"]

    def test_without_a_model_it_is_unavailable_and_says_why(self, client, assets):
        (assets / "model.pkl").unlink()
        response = ask(client, {"customer": {**A_CUSTOMER, "balance": 1}})
        assert response.status_code == 503
        assert "model.pkl" in response.json()["error"]

    def test_stored_values_that_the_model_does_not_know_are_named(self, client):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE customers_customer DROP CONSTRAINT customer_num_of_products_is_possible")
        response = ask(client, {"customer_id": make_customer(num_of_products=0).pk})
        assert response.status_code == 422
        assert "num_of_products" in response.json()["error"]


@pytest.mark.parametrize("lost", [OperationalError, InterfaceError])
def test_while_the_database_is_away_it_says_so_and_when_to_ask_again(client, monkeypatch, lost):
    def fail(*args, **options):
        raise lost("server closed the connection unexpectedly")

    monkeypatch.setattr(scorer, "analyze", fail)
    response = client.get("/customers/analyze/1/")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert "database" in response.json()["error"]


@pytest.mark.parametrize("address", ["/customers/at-risk/", "/customers/changes/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_lists_are_for_reading_only(address, method):
    response = Client(enforce_csrf_checks=True).generic(method, address)
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("address", ADDRESSES)
class TestEveryView:
    @pytest.mark.parametrize("unknown", UNKNOWN_IDS, ids=lambda unknown: str(unknown)[:20])
    def test_an_unknown_customer_is_not_there(self, client, address, unknown):
        response = client.get(address.format(unknown))
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
    def test_called_directly_with_an_impossible_id_it_says_that_there_is_no_such_customer(self, address, customer_id):
        assert VIEWS[address](RequestFactory().get("/"), customer_id=customer_id).status_code == 404
