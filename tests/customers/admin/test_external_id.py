"""The customer's identifier in another system of the bank, where staff and programs meet it."""

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.api import insights
from customers.import_export.customers import import_file
from customers.import_export.export import BYTE_ORDER_MARK, csv_of
from customers.models import Customer
from tests.factories import A_CUSTOMER, make_customer, make_scored
from tests.staff import superuser

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/customer/"


@pytest.fixture
def staff():
    return superuser()


def found(staff, typed):
    return [customer.pk for customer in staff.get(LIST, {"q": typed}).context["cl"].result_list]


class TestSearch:
    def test_it_is_found_when_typed_whole(self, staff):
        customer = make_customer(external_id="DE-007")
        assert found(staff, " DE-007 ") == [customer.pk]
        assert found(staff, "DE-00") == []

    def test_digits_are_an_id_or_an_external_one(self, staff):
        other = make_customer(customer_id=99, external_id="0042")
        make_customer(customer_id=42)
        assert sorted(found(staff, "0042")) == [42, other.pk]
        assert found(staff, "42") == [42]

    def test_beside_surnames(self, staff):
        both = [make_customer(surname="Abel").pk, make_customer(external_id="Abel", surname="Else").pk]
        assert sorted(found(staff, "abel")) == both[:1]
        assert sorted(found(staff, "Abel")) == both

    def test_by_its_index(self, staff):
        with CaptureQueriesContext(connection) as asked:
            found(staff, "DE-007")
        [query] = [
            it["sql"] for it in asked if "external_id" in it["sql"].partition("WHERE")[2] and "COUNT" not in it["sql"]
        ]
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {query}")
            assert "customer_external_id" in str(cursor.fetchall())


class TestPage:
    def test_staff_edit_it_and_no_score_is_pending_for_that(self, staff):
        customer = make_scored()
        values = {**A_CUSTOMER, "surname": "Made Up", "external_id": "A-1", "has_cr_card": "on"}
        del values["is_active_member"]
        staff.post(f"{LIST}{customer.pk}/change/", values)
        customer.refresh_from_db()
        assert (customer.external_id, customer.stale_since) == ("A-1", None)
        assert b"A-1" in staff.get(f"{LIST}{customer.pk}/change/").content

    def test_one_of_another_customer_is_refused(self, staff):
        make_customer(external_id="A-1")
        answer = staff.post(f"{LIST}add/", {**A_CUSTOMER, "customer_id": 77, "external_id": "A-1"})
        assert "Another customer has this external ID." in answer.content.decode()


def test_programs_get_it_with_the_insights():
    assert insights.of_customer(make_scored(external_id="A-1").pk)["external_id"] == "A-1"
    assert insights.of_customer(make_scored().pk)["external_id"] is None


def test_an_export_has_it_and_comes_back_unchanged(tmp_path):
    make_customer(external_id="=A")
    make_customer()
    text = "".join(csv_of(Customer.objects.order_by("pk")))
    assert [row["external_id"] for row in csv.DictReader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK)))] == [
        "'=A",
        "",
    ]
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert import_file(tmp_path / "a.csv").counts.unchanged == 2
