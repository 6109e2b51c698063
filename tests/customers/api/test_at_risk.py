"""The customers by risk: in order, page by page, narrowed down, and found by the index."""

import json
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.urls import reverse

from customers.api import at_risk
from customers.ml_service.reasons.reason_codes import BY_NUMBER
from customers.models import Customer
from customers.scoring import marks, scorer
from tests.factories import edit, make_customer, make_customers, make_scored, write_as_scorer
from tests.money import value_at_risk
from tests.others import outsider

pytestmark = pytest.mark.django_db


def ask(client, **asked):
    return client.get(reverse("customers:at_risk"), asked)


def ids(client, **asked):
    return [it["customer_id"] for it in ask(client, **asked).json()["customers"]]


def all_pages(client, **asked):
    """Every customer that the pages name, in order."""
    found = []
    while True:
        answer = ask(client, **asked).json()
        found += [it["customer_id"] for it in answer["customers"]]
        if answer["next"] is None:
            return found
        asked["after"] = answer["next"]


@pytest.fixture
def portfolio():
    """Customers as their fields make them, half of them alike."""
    alike = make_customers(10, is_active_member=True)
    others = make_customers(10, geography="Germany", num_of_products=3)
    same = [make_customer() for _ in range(10)]
    marks.mark([it.pk for it in (*alike, *others, *same)])
    scorer.rescore_batch()
    return list(Customer.objects.order_by("-churn_risk_score", "-customer_id").values_list("pk", flat=True))


class TestPages:
    @pytest.mark.parametrize("limit", [1, 7, 10, 30, 500])
    def test_they_name_each_customer_once_riskiest_first_also_where_many_are_alike(self, client, portfolio, limit):
        assert all_pages(client, limit=limit) == portfolio

    def test_customers_without_a_score_are_left_out(self, client, portfolio):
        make_customer()
        assert all_pages(client, limit=4) == portfolio

    def test_the_last_has_no_next(self, client, portfolio):
        assert ask(client, limit=30).json()["next"] is None
        assert ask(client, limit=29).json()["next"]

    def test_without_customers_it_is_empty(self, client):
        assert ask(client).json() == {"customers": [], "next": None}

    @pytest.mark.parametrize("score", [0.0, 1.0, 5e-324, 0.1 + 0.2, 1e-05])
    def test_a_position_is_the_score_to_its_last_digit(self, client, score):
        for _ in range(2):
            write_as_scorer(make_scored(), churn_risk_score=score)
        assert len(all_pages(client, limit=1)) == 2

    def test_a_hundred_are_a_page(self, client, monkeypatch):
        assert at_risk.PARAMETERS["limit"].schema["default"] == at_risk.DEFAULT_LIMIT == 100
        monkeypatch.setattr(at_risk, "DEFAULT_LIMIT", 2)
        for _ in range(3):
            make_scored()
        assert len(ids(client)) == 2


class TestByValue:
    @pytest.fixture(autouse=True)
    def customers(self):
        balances = [Decimal(0), Decimal(0), Decimal("120000.50"), Decimal("120000.50"), Decimal("9999999999999.99")]
        self.customers = [make_scored(age=age, balance=balance) for balance in balances for age in (25, 61)]
        self.in_order = list(Customer.objects.order_by("-value_at_risk", "-pk").values_list("pk", flat=True))

    @pytest.mark.parametrize("limit", [1, 3, 10])
    def test_the_pages_name_each_customer_once_highest_value_first(self, client, limit):
        make_customer()
        assert all_pages(client, order="value", limit=limit) == self.in_order
        assert all_pages(client, order="risk", limit=limit) == all_pages(client, limit=limit) != self.in_order

    def test_filters_count_in_this_order_too(self, client):
        edit(self.customers[3], geography="Spain")
        assert all_pages(client, order="value", limit=1, geography="Spain") == [self.customers[3].pk]

    def test_a_position_of_the_other_order_is_refused(self, client):
        for order, other in (("value", "risk"), ("risk", "value")):
            position = ask(client, order=order, limit=1).json()["next"]
            assert ask(client, order=order, after=position).status_code == 200
            response = ask(client, order=other, after=position)
            assert (response.status_code, response.json()["fields"].keys()) == (422, {"after"})

    def test_money_is_text_to_the_cent(self, client):
        richest = ask(client, order="value", limit=1).json()["customers"][0]
        customer = Customer.objects.get(pk=richest["customer_id"])
        assert richest["value_at_risk"] == str(value_at_risk(customer.balance, customer.churn_risk_score))


class TestEntries:
    def test_they_have_the_stored_score_and_its_reasons_and_no_name(self, client):
        customer = make_scored(surname="Meier")
        response = ask(client)
        (entry,) = response.json()["customers"]
        assert entry["customer_id"] == customer.pk
        assert entry["churn_risk_score"] == customer.churn_risk_score
        assert (entry["current"], entry["version"], entry["model_release"]) == (True, 1, customer.scored_by_id)
        assert [it["code"] for it in entry["reasons"]] == [BY_NUMBER[it].code for it in customer.reason_codes]
        assert "Meier" not in response.content.decode()

    def test_of_a_stale_score_there_are_no_reasons(self, client):
        edit(make_scored(), age=71)
        (entry,) = ask(client).json()["customers"]
        assert (entry["current"], entry["reasons"], entry["version"]) == (False, [], 1)


class TestFilters:
    @pytest.fixture(autouse=True)
    def customers(self):
        self.spaniard = make_scored(geography="Spain", num_of_products=4, has_cr_card=False, is_active_member=True)
        self.other = make_scored()

    @pytest.mark.parametrize(
        "asked",
        [
            {"geography": "Spain"},
            {"num_of_products": 4},
            {"has_cr_card": "false"},
            {"is_active_member": "true", "geography": "Spain"},
        ],
    )
    def test_by_fields(self, client, asked):
        assert ids(client, **asked) == [self.spaniard.pk]

    def test_by_band_as_the_admin_has_it(self, client):
        for score, band in ((0.25, "medium"), (0.75, "critical"), (1.0, "critical"), (0.0, "low")):
            write_as_scorer(self.other, churn_risk_score=score)
            write_as_scorer(self.spaniard, churn_risk_score=0.6)
            assert ids(client, band=band) == [self.other.pk]

    def test_by_the_main_reason_of_scores_that_are_current(self, client):
        for customer in (self.spaniard, self.other):
            write_as_scorer(customer, reason_codes=[20])
        edit(self.spaniard, age=50)
        assert ids(client, main_reason="INACTIVE_MEMBER") == [self.other.pk]

    def test_by_freshness(self, client):
        edit(self.spaniard, age=50)
        assert ids(client, freshness="stale") == [self.spaniard.pk]
        assert ids(client, freshness="current") == [self.other.pk]

    def test_what_is_wrong_is_named_at_once(self, client):
        response = ask(client, band="huge", country="Spain", limit="501", after="1")
        assert response.status_code == 422
        assert response.json()["fields"].keys() == {"band", "country", "limit", "after"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("order", "asked"),
    [
        ("risk", {}),
        ("risk", {"after": "0.5_1000"}),
        ("risk", {"after": "0.5_1000", "band": "medium"}),
        ("risk", {"geography": "Spain", "is_active_member": True, "after": "0.5_1000"}),
        ("value", {}),
        ("value", {"geography": "Spain", "is_active_member": True, "after": "value_5.00_1000"}),
    ],
)
def test_the_index_finds_a_page_without_sorting_the_table(order, asked):
    with outsider() as maker:
        maker.execute("""INSERT INTO customers_customer (customer_id, credit_score, geography, gender, age, tenure,
            balance, num_of_products, has_cr_card, is_active_member)
            SELECT i, 600, 'Spain', 'Male', 40, 3, 10, 1, true, true FROM generate_series(1, 5000) AS i""")
        maker.execute("BEGIN; SELECT set_config('vigilpay.scorer', 'on', true)")
        maker.execute(
            """UPDATE customers_customer SET churn_risk_score = (customer_id % 100) / 100.0, stale_since = NULL,
            scored_version = version"""
        )
        maker.execute("COMMIT")
        maker.execute("VACUUM ANALYZE customers_customer")
    query = at_risk.customers_in_order(asked, at_risk.ORDERS[order])[:100]
    with transaction.atomic(), connection.cursor() as cursor:
        # Which way is the cheapest for so small a table depends on what VACUUM could clear away.
        cursor.execute("SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off")
        plan = json.dumps(json.loads(query.explain(format="json", analyze=True)))
    assert f"customer_by_{order}" in plan
    assert '"Sort' not in plan
    # Of the customers in front of the page none is read, however many have the same score.
    field = at_risk.ORDERS[order].field
    assert (f"ROW({field}, customer_id) < ROW(" in plan) == ("after" in asked)
    assert "Rows Removed by Filter" not in plan
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE customers_customer")
