"""What the table itself refuses, from every writer; and the questions a customer answers about itself."""

import re

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from customers.models import Customer, ModelRelease
from customers.scoring.scorer import scorer_rights
from tests.factories import A_CUSTOMER, make_customer, make_scored

pytestmark = pytest.mark.django_db

IMPOSSIBLE = [
    ("customer_id_is_positive", {"customer_id": 0}),
    ("customer_id_is_positive", {"customer_id": -7}),
    ("customer_geography_is_a_word", {"geography": ""}),
    ("customer_geography_is_a_word", {"geography": " Italy"}),
    ("customer_geography_is_a_word", {"geography": "Ita\nly"}),
    ("customer_geography_is_a_word", {"geography": "Italy\x85"}),
    ("customer_gender_is_a_word", {"gender": "Divers "}),
    ("customer_gender_is_a_word", {"gender": "\x7f"}),
    ("customer_age_is_possible", {"age": 12}),
    ("customer_age_is_possible", {"age": 120}),
    ("customer_tenure_is_possible", {"tenure": -1}),
    ("customer_num_of_products_is_possible", {"num_of_products": 0}),
    ("customer_num_of_products_is_possible", {"num_of_products": 25}),
    ("customer_credit_score_is_possible", {"credit_score": -1}),
    ("customer_credit_score_is_possible", {"credit_score": 1001}),
]


def insert_by_sql(**fields):
    values = {"customer_id": 1, "surname": "Plain", **A_CUSTOMER, **fields}
    columns, places = ", ".join(values), ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO customers_customer ({columns}) VALUES ({places})", list(values.values()))


def insert_by_orm(**fields):
    Customer.objects.create(**{"customer_id": 1, **A_CUSTOMER, **fields})


@pytest.mark.parametrize("insert", [insert_by_sql, insert_by_orm])
@pytest.mark.parametrize(("constraint", "fields"), IMPOSSIBLE)
def test_what_can_not_be_true_is_refused_by_the_name_of_its_rule(insert, constraint, fields):
    with pytest.raises(IntegrityError, match=f'"{constraint}"'), transaction.atomic():
        insert(**fields)
    assert not Customer.objects.exists()


def test_a_balance_that_is_no_number_is_refused_by_its_name():
    with pytest.raises(IntegrityError, match='"customer_balance_is_a_number"'), transaction.atomic():
        insert_by_sql(balance="NaN")


@pytest.mark.parametrize("balance", ["Infinity", "-Infinity"])
def test_an_infinite_balance_is_refused_and_the_details_say_so(balance):
    with pytest.raises(DatabaseError, match="numeric field overflow") as refused, transaction.atomic():
        insert_by_sql(balance=balance)
    assert "infinite" in refused.value.__cause__.diag.message_detail


@pytest.mark.parametrize("balance", ["NaN", "Infinity", "-Infinity"])
def test_django_refuses_a_balance_that_is_no_number_before_it_asks_the_database(balance):
    with pytest.raises(ValidationError, match="must be a decimal number"):
        insert_by_orm(balance=balance)


@pytest.mark.parametrize("field", A_CUSTOMER)
def test_no_behavioural_field_may_be_missing(field):
    with pytest.raises(IntegrityError, match=field), transaction.atomic():
        insert_by_sql(**{field: None})


@pytest.mark.parametrize("fields", [{"age": 18}, {"age": 110}, {"tenure": 80}, {"balance": "9999999999999.99"}])
def test_the_bounds_themselves_are_possible(fields):
    insert_by_sql(**fields)
    assert Customer.objects.filter(**fields).count() == 1


@pytest.mark.parametrize("score", [1.5, -0.1, float("nan"), float("inf")])
def test_even_the_scorer_can_store_nothing_but_a_probability(score):
    customer = make_customer()
    with (
        pytest.raises(DatabaseError, match=r'"customer_score_is_a_probability"|numeric field overflow'),
        transaction.atomic(),
        connection.cursor() as cursor,
        scorer_rights(cursor),
    ):
        Customer.objects.filter(pk=customer.pk).update(churn_risk_score=score)


@pytest.mark.parametrize(
    "change",
    [
        {"stale_since": None},
        {"stale_since": None, "churn_risk_score": 0.5},
        {"stale_since": None, "churn_risk_score": 0.5, "scored_version": 2},
        {"stale_since": None, "scored_version": 1},
    ],
)
def test_not_even_the_scorer_can_call_a_row_current_that_has_no_score_of_its_version(change):
    customer = make_customer()
    with (
        pytest.raises(IntegrityError, match='"customer_current_means_scored"'),
        transaction.atomic(),
        connection.cursor() as cursor,
        scorer_rights(cursor),
    ):
        Customer.objects.filter(pk=customer.pk).update(**change)


def test_an_insert_of_id_surname_and_the_nine_fields_suffices():
    insert_by_sql(customer_id=5)
    customer = Customer.objects.get(pk=5)
    assert (customer.version, customer.churn_risk_score, customer.scored_at) == (1, None, None)
    assert customer.stale_since is not None


def test_the_largest_id_of_a_bigint_is_a_customers():
    insert_by_sql(customer_id=2**63 - 1)
    assert Customer.objects.get().pk == 2**63 - 1


def test_a_form_says_what_is_wrong_before_the_database_does():
    with pytest.raises(ValidationError, match="customer_age_is_possible"):
        Customer(**{"customer_id": 1, **A_CUSTOMER, "age": 12}).full_clean()


def test_a_possible_customer_passes_the_check_of_a_form():
    Customer(**{"customer_id": 1, "surname": "Fine", **A_CUSTOMER}).full_clean()


def test_a_customer_is_current_from_its_score_to_the_next_change():
    customer = make_customer()
    assert not customer.is_current()
    customer = make_scored()
    assert customer.is_current()
    Customer.objects.filter(pk=customer.pk).update(age=41)
    customer.refresh_from_db()
    assert not customer.is_current()


def test_every_customer_is_stale_from_the_moment_another_model_is_active():
    customer = make_scored()
    assert not Customer.objects.stale().exists()
    ModelRelease.objects.create(sha256="0" * 64)
    assert list(Customer.objects.stale()) == [customer]
    assert not customer.is_current()


def test_without_any_release_no_customer_is_current_and_the_unscored_are_stale():
    customer = make_customer()
    assert not ModelRelease.objects.exists()
    assert not customer.is_current()
    assert list(Customer.objects.stale()) == [customer]


def test_the_active_model_is_the_newest_release():
    ModelRelease.objects.create(sha256="a" * 64)
    newest = ModelRelease.objects.create(sha256="b" * 64)
    assert ModelRelease.objects.active() == newest


def test_the_riskiest_come_first_and_the_unscored_last():
    make_scored(customer_id=901, age=25, is_active_member=True)
    make_scored(customer_id=902, age=60)
    make_customer(customer_id=903)
    assert [customer.pk for customer in Customer.objects.riskiest_first()] == [902, 901, 903]


def test_the_order_by_risk_is_served_by_its_index():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan TO off")
        cursor.execute("SET LOCAL enable_sort TO off")
    plan = Customer.objects.riskiest_first()[:10].explain()
    assert "customer_by_risk" in plan
    assert "Sort" not in plan


def test_no_index_has_to_be_written_with_a_score_but_those_that_the_list_needs():
    """One more would make every score dearer, as PostgreSQL writes all indexes anew: docs/decisions/0016."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'customers_customer'")
        found = sorted(re.sub(".* USING ", "", definition) for (definition,) in cursor.fetchall())
    by_risk = "churn_risk_score DESC NULLS LAST, customer_id DESC"
    narrowed_by = "geography, num_of_products, is_active_member, has_cr_card"
    assert found == [
        f"btree ((reason_codes[1]), {by_risk})",
        f"btree ({by_risk}, {narrowed_by})",
        "btree (customer_id)",
        "btree (customer_id) WHERE (objected_at IS NOT NULL)",  # who have no score
        "btree (external_id) WHERE ((external_id)::text > ''::text)",  # of customers who have one: decision 0050
        f"btree (num_of_products, {by_risk}) WHERE (num_of_products >= 3)",
        'btree (upper((surname)::text) COLLATE "C")',
        f"btree (value_at_risk DESC NULLS LAST, customer_id DESC, {narrowed_by}, (reason_codes[1]), churn_risk_score)",
    ]


def test_no_index_has_to_be_written_with_an_edit_of_what_moves_most():
    """Balance, credit score, age and tenure, and the columns by which the engine knows that a row is stale."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'customers_customer'")
        indexed = " ".join(definition for (definition,) in cursor.fetchall())
    for column in ("balance", "credit_score", "age,", "tenure", "stale_since", "version", "edited_by", "edited_at"):
        assert column not in indexed


def test_nothing_that_is_logged_or_shown_of_a_customer_names_a_person():
    assert str(make_customer(customer_id=7, surname="Secret")) == "customer 7"


class TestWhatIsSent:
    """A role with rights on the bank's columns alone can save: Django would write every column."""

    ENGINE = (
        "version",
        "churn_risk_score",
        "stale_since",
        "scored_",
        "edited_",
        "arrived_at",
        "contributions",
        "reason_codes",
    )

    def written(self, queries):
        """The columns that statements write, without those that they ask back."""
        statements = [
            query["sql"].partition("RETURNING")[0] for query in queries if "customers_customer" in query["sql"]
        ]
        return [column for column in self.ENGINE for sql in statements if f'"{column}' in sql]

    def test_no_column_of_the_engines_on_a_full_save(self):
        customer = make_scored()
        with CaptureQueriesContext(connection) as queries:
            customer.save()
        assert '"age"' in queries[0]["sql"]
        assert self.written(queries) == []

    def test_nor_on_an_insert_which_learns_them_all_the_same(self):
        with CaptureQueriesContext(connection) as queries:
            customer = make_customer(version=7)
        assert self.written(queries) == []
        assert customer.version == 1
        assert customer.stale_since is not None
        assert customer.arrived_at.year > 2020

    def test_nor_on_a_bulk_insert(self):
        with CaptureQueriesContext(connection) as queries:
            [customer] = Customer.objects.bulk_create([Customer(customer_id=5, churn_risk_score=0.5, **A_CUSTOMER)])
        assert self.written(queries) == []
        assert customer.version == 1

    def test_a_save_of_the_engines_columns_alone_sends_nothing_and_succeeds(self):
        customer = make_scored()
        with CaptureQueriesContext(connection) as queries:
            customer.save(update_fields=["churn_risk_score"])
        assert self.written(queries) == []
