"""An objection by program: recorded and withdrawn, and what it means for what else programs ask."""

import pytest
from django.db.models.functions import Now
from django.urls import reverse

from customers.models import Customer, ScoreRecord
from tests.factories import edit, make_scored
from tests.others import outsider

pytestmark = pytest.mark.django_db

JSON = "application/json"


def post(client, customer_id, body):
    return client.post(f"/customers/objection/{customer_id}/", body, content_type=JSON)


@pytest.fixture
def objector():
    customer = make_scored()
    edit(customer, objected_at=Now())
    return customer


def test_it_is_recorded_and_withdrawn_and_the_answer_says_since_when(client):
    customer = make_scored()
    answer = post(client, customer.pk, {"objected": True})
    customer.refresh_from_db()
    assert answer.status_code == 200
    assert answer.json().keys() == {"customer_id", "objected_at"}
    assert answer.json()["customer_id"] == customer.pk
    assert answer.json()["objected_at"].startswith(f"{customer.objected_at:%Y-%m-%dT%H:%M:%S}")
    assert customer.churn_risk_score is None
    assert post(client, customer.pk, {"objected": True}).json() == answer.json()
    assert post(client, customer.pk, {"objected": False}).json() == {"customer_id": customer.pk, "objected_at": None}
    assert Customer.objects.stale().get() == customer


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"objected"}),
        ({"objected": 1}, {"objected"}),
        ({"objected": "true"}, {"objected"}),
        ({"objected": None}, {"objected"}),
        ({"objected": True, "because": "x"}, {"because"}),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(client, body, wrong):
    customer = make_scored()
    answer = post(client, customer.pk, body)
    assert (answer.status_code, set(answer.json()["fields"])) == (422, wrong)
    assert Customer.objects.get(pk=customer.pk).objected_at is None


def test_an_unknown_customer_is_not_found_and_another_method_not_allowed(client):
    assert post(client, 999_999, {"objected": True}).status_code == 404
    assert client.get("/customers/objection/5/").status_code == 405
    assert reverse("customers:objection", args=[5]) == "/customers/objection/5/"


@pytest.mark.django_db(transaction=True)
def test_a_customer_in_an_open_edit_is_busy_and_nothing_is_written(client, settings):
    settings.ANALYZE_LOCK_SECONDS = 0.05
    customer = make_scored()
    with outsider(autocommit=False) as editor:
        editor.execute("UPDATE customers_customer SET age = 50 WHERE customer_id = %s", [customer.pk])
        answer = post(client, customer.pk, {"objected": True})
        editor.rollback()
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert Customer.objects.get(pk=customer.pk).objected_at is None


class TestWhileItStands:
    @pytest.mark.parametrize("address", ["/customers/analyze/{}/", "/customers/insights/{}/"])
    def test_what_makes_a_profile_is_refused_and_writes_nothing(self, client, objector, address):
        answer = client.get(address.format(objector.pk))
        assert answer.status_code == 409
        assert answer.json().keys() == {"error"}
        assert "objected" in answer.json()["error"]
        assert ScoreRecord.objects.count() == 1
        assert Customer.objects.get(pk=objector.pk).churn_risk_score is None

    def test_so_is_a_question_about_the_stored_customer_but_not_one_about_values(self, client, objector):
        asked = client.post("/customers/what-if/", {"customer_id": objector.pk}, content_type=JSON)
        assert asked.status_code == 409
        values = {**objector.features(), "balance": "50000.00"}
        assert client.post("/customers/what-if/", {"customer": values}, content_type=JSON).status_code != 409

    def test_the_history_can_be_read_and_says_since_when(self, client, objector):
        answer = client.get(f"/customers/history/{objector.pk}/").json()
        assert answer["objected_at"] is not None
        assert [entry["score"] is None for entry in answer["entries"]] == [True, False]
        edit(objector, objected_at=None)
        assert client.get(f"/customers/history/{objector.pk}/").json()["objected_at"] is None
