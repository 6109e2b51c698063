"""The feed of changed scores as a program reads it: what each entry tells, and what a wrong position is answered."""

import pytest
from django.urls import reverse

from customers.api import changes
from customers.models import Customer, FeedEpoch
from customers.scoring import scorer
from tests.factories import edit, make_customer, make_scored
from tests.others import await_other_databases

# Within one open transaction nothing could be told: it is itself the oldest.
pytestmark = pytest.mark.django_db(transaction=True)


def ask(client, **asked):
    await_other_databases()
    return client.get(reverse("customers:changes"), asked)


def first_position(client):
    return ask(client).json()["next"]


class TestEntries:
    def test_they_are_those_of_the_list_by_risk(self, client):
        after = first_position(client)
        customer = make_scored(surname="Meier")
        response = ask(client, after=after)
        answer = response.json()
        (listed,) = client.get(reverse("customers:at_risk")).json()["customers"]
        assert answer["changes"] == [{"deleted": False, **listed}]
        assert listed["customer_id"] == customer.pk
        assert (answer["more"], answer["waiting_since"]) == (False, None)
        assert "Meier" not in response.content.decode()

    def test_who_has_left_is_told_of_by_the_id_alone(self, client):
        customer = make_scored()
        after = first_position(client)
        Customer.objects.all().delete()
        assert ask(client, after=after).json()["changes"] == [{"customer_id": customer.pk, "deleted": True}]

    def test_who_came_back_is_told_of_as_present(self, client):
        customer = make_scored()
        after = first_position(client)
        Customer.objects.all().delete()
        make_customer(customer_id=customer.pk)
        (entry,) = ask(client, after=after).json()["changes"]
        assert (entry["deleted"], entry["churn_risk_score"], entry["band"]) == (False, None, None)
        scorer.analyze(customer.pk)
        (entry,) = ask(client, after=after).json()["changes"]
        assert entry["churn_risk_score"] == customer.churn_risk_score

    def test_a_customer_is_told_of_once_a_page_with_the_newest_score(self, client):
        customer = make_scored()
        after = first_position(client)
        for age in (50, 51, 52):
            edit(customer, age=age)
            scorer.analyze(customer.pk)
        (entry,) = ask(client, after=after).json()["changes"]
        customer.refresh_from_db()
        assert (entry["churn_risk_score"], entry["version"]) == (customer.churn_risk_score, 4)

    def test_a_score_that_was_edited_since_is_told_of_as_not_current(self, client):
        customer = make_scored()
        after = first_position(client)
        scorer.analyze(customer.pk)
        edit(customer, age=71)
        (entry,) = ask(client, after=after).json()["changes"]
        assert (entry["current"], entry["version"], entry["reasons"]) == (False, 1, [])


class TestPages:
    def test_more_says_that_there_is_another(self, client):
        after = first_position(client)
        ids = {make_scored().pk for _ in range(3)}
        answer = ask(client, after=after, limit=2).json()
        found = {it["customer_id"] for it in answer["changes"]}
        assert answer["more"] is True
        rest = ask(client, after=answer["next"], limit=2).json()
        assert rest["more"] is False
        assert found | {it["customer_id"] for it in rest["changes"]} == ids

    def test_a_hundred_are_a_page(self, client, monkeypatch):
        assert changes.PARAMETERS["limit"].schema["default"] == changes.DEFAULT_LIMIT == 100
        monkeypatch.setattr(changes, "DEFAULT_LIMIT", 1)
        after = first_position(client)
        make_scored()
        make_scored()
        assert ask(client, after=after).json()["more"] is True

    def test_an_empty_position_is_none(self, client):
        make_scored()
        assert ask(client, after="").json()["changes"] == []


class TestRefusals:
    def test_a_position_that_holds_no_longer_is_gone_and_the_way_on_is_told(self, client):
        after = first_position(client)
        FeedEpoch.objects.all().delete()
        response = ask(client, after=after)
        assert response.status_code == 410
        assert "Begin again" in response.json()["error"]

    def test_what_is_wrong_is_named_at_once(self, client):
        response = ask(client, after="7", limit="0", since="yesterday")
        assert response.status_code == 422
        assert response.json()["fields"].keys() == {"after", "limit", "since"}
