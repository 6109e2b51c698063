"""An objection to being scored: what PostgreSQL itself does about it, by whatever way it is recorded."""

from threading import Event

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from customers.models import (
    Contact,
    Customer,
    RecentMove,
    ScoreRecord,
    ShadowScore,
    UnscoredVersion,
    WorklistItem,
)
from customers.scoring import scorer
from customers.scoring.claims import Claim, claim_one
from tests.factories import (
    A_CUSTOMER,
    answers,
    edit,
    forget_marks,
    make_customer,
    make_scored,
    marked,
    write_as_scorer,
)
from tests.others import await_that, meanwhile, outsider, waiting_for_locks

pytestmark = pytest.mark.django_db

SCORE = (
    *("churn_risk_score", "value_at_risk", "scored_version", "scored_by_id", "scored_at"),
    *("contributions", "reason_codes"),
)
BEHIND = """
CREATE FUNCTION bank() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NEW; END $$;
CREATE TRIGGER {} BEFORE UPDATE ON customers_customer FOR EACH ROW EXECUTE FUNCTION bank()
"""


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)


def object_by_sql(customer, **values):
    more = "".join(f", {name} = {value}" for name, value in values.items())
    sql(f"UPDATE customers_customer SET objected_at = now(){more} WHERE customer_id = {customer.pk}")


def withdraw_by_sql(customer):
    sql(f"UPDATE customers_customer SET objected_at = NULL WHERE customer_id = {customer.pk}")


def is_unscored(customer):
    """An objector as an objector has to be: nothing of a score, and not stale."""
    row = Customer.objects.values(*SCORE, "stale_since", "objected_at").get(pk=customer.pk)
    return bool(row.pop("objected_at")) and set(row.values()) == {None}


WAYS = {
    "sql": object_by_sql,
    "the queryset": lambda customer: Customer.objects.filter(pk=customer.pk).set_objection(True),
    "update": lambda customer: Customer.objects.filter(pk=customer.pk).update(objected_at=Now()),
    "bulk_update": lambda customer: Customer.objects.bulk_update(
        [Customer(pk=customer.pk, objected_at=timezone.now())], ["objected_at"]
    ),
    "a named field": lambda customer: Customer(pk=customer.pk, objected_at=timezone.now()).save(
        update_fields=["objected_at"]
    ),
    "with another value": lambda customer: object_by_sql(customer, age=77),
    "with a score of its own": lambda customer: object_by_sql(customer, churn_risk_score=0.01, scored_version=7),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [make_customer, make_scored])
def test_by_whatever_way_it_clears_the_score_and_moves_the_version(way, make):
    customer = make()
    forget_marks()
    WAYS[way](customer)
    assert is_unscored(customer)
    assert Customer.objects.get(pk=customer.pk).version == customer.version + 1
    assert marked() == []


@pytest.mark.parametrize("number", [1, 30])
def test_a_withdrawal_leaves_the_customer_stale_and_marked(number):
    customers = [make_scored() for _ in range(number)]
    chosen = Customer.objects.filter(pk__in=[customer.pk for customer in customers])
    assert chosen.set_objection(True) == number
    forget_marks()
    assert chosen.set_objection(False) == number
    assert chosen.stale().count() == number
    assert {customer for _kind, ids in marked() for customer in ids} == {customer.pk for customer in customers}
    assert scorer.rescore_batch().stored == number
    assert all(customer.is_current() for customer in chosen)


def test_an_objection_that_stands_keeps_its_time_and_is_no_news():
    customer = make_scored()
    chosen = Customer.objects.filter(pk=customer.pk)
    chosen.set_objection(True)
    before = chosen.values_list("objected_at", "version").get()
    assert chosen.set_objection(True) == 0
    assert chosen.values_list("objected_at", "version").get() == before
    chosen.set_objection(False)
    assert chosen.set_objection(False) == 0


def test_of_some_rows_of_one_statement_the_others_are_marked_and_keep_nothing_back():
    customers = [make_scored() for _ in range(12)]
    forget_marks()
    sql("UPDATE customers_customer SET age = age + 1, objected_at = CASE WHEN customer_id % 2 = 0 THEN now() END")
    objected = {customer.pk for customer in customers if customer.pk % 2 == 0}
    assert {customer for _kind, ids in marked() for customer in ids} == {it.pk for it in customers} - objected
    assert all(is_unscored(customer) for customer in customers if customer.pk in objected)


def test_edits_of_an_objector_leave_no_score_no_mark_and_every_version():
    customer = make_scored()
    edit(customer, objected_at=Now())
    forget_marks()
    edit(customer, age=51)
    edit(customer, age=52)
    edit(customer, surname="Renamed")
    assert is_unscored(customer)
    assert marked() == []
    edit(customer, objected_at=None)
    kept = UnscoredVersion.objects.filter(customer_id=customer.pk).order_by("version").values_list("version", "age")
    assert list(kept) == [(2, 40), (3, 51), (4, 52)]


def test_a_version_that_still_waited_is_kept_when_its_customer_objects():
    customer = make_customer(age=33)
    edit(customer, objected_at=Now())
    assert UnscoredVersion.objects.get(customer_id=customer.pk).age == 33


def test_the_versions_of_an_objector_who_is_deleted_are_kept():
    customer = make_scored()
    edit(customer, objected_at=Now())
    edit(customer, age=51)
    Customer.objects.filter(pk=customer.pk).delete()
    assert set(UnscoredVersion.objects.values_list("version", "age")) == {(2, 40), (3, 51)}


def deal_with(customer):
    """As if staff had contacted this customer twice, and one of them had taken the customer on."""
    then = {"score": 0.8, "reason_codes": [1, 2], "release_id": 1}
    for outcome in ("not reached", "informed"):
        Contact.objects.create(customer=customer, by="ann", channel="phone", outcome=outcome, note="Called", **then)
    WorklistItem.objects.create(customer=customer, claimed_by="ann", score=0.8, value_at_risk=9, done_at=timezone.now())
    WorklistItem.objects.create(customer=customer, claimed_by="ann", score=0.8, value_at_risk=9)
    RecentMove.objects.create(customer_id=customer.pk, score_before=0.1, until=timezone.now())
    ShadowScore.objects.create(customer_id=customer.pk, run_id=1, version=1, score=0.2, reason_codes=[1])


def kept_of(customer):
    """What contacts, claims, moves and shadow scores have of this customer's scores; and the number of open claims."""
    of_contacts = Contact.objects.filter(customer=customer).values_list("score", "reason_codes", "release_id")
    items = WorklistItem.objects.filter(customer=customer)
    moves = RecentMove.objects.filter(customer_id=customer.pk).values_list("score_before")
    shadows = ShadowScore.objects.filter(customer_id=customer.pk).values_list("score")
    found = [*of_contacts, *items.values_list("score", "value_at_risk"), *moves, *shadows]
    return [value for row in found for value in row if value is not None], items.filter(done_at=None).count()


class TestContactsAndClaims:
    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("make", [make_customer, make_scored])
    def test_by_whatever_way_it_takes_their_scores_and_ends_the_claim(self, way, make):
        customer, other = make(), make_scored()
        deal_with(customer)
        deal_with(other)
        before = kept_of(other)
        WAYS[way](customer)
        assert kept_of(customer) == ([], 0)
        assert Contact.objects.filter(customer=customer, note="Called").count() == 2
        assert kept_of(other) == before
        assert (len(before[0]), before[1]) == (12, 1)

    def test_of_many_those_who_object_alone_lose_them(self):
        customers = [make_scored() for _ in range(12)]
        for customer in customers:
            deal_with(customer)
        sql("UPDATE customers_customer SET age = age + 1, objected_at = CASE WHEN customer_id % 2 = 0 THEN now() END")
        assert {it.pk for it in customers if kept_of(it) == ([], 0)} == {it.pk for it in customers if it.pk % 2 == 0}

    def test_an_edit_of_an_objector_does_not_touch_them_again(self):
        customer = make_scored()
        edit(customer, objected_at=Now())
        deal_with(customer)
        before = kept_of(customer)
        edit(customer, age=51)
        edit(customer, objected_at=None)
        assert kept_of(customer) == before

    def test_one_that_replication_brings_does_the_same(self):
        customer = make_scored()
        deal_with(customer)
        sql("SET LOCAL session_replication_role = replica")
        object_by_sql(customer)
        sql("SET LOCAL session_replication_role = origin")
        assert kept_of(customer) == ([], 0)


class TestArrival:
    def test_a_customer_who_comes_with_an_objection_is_never_stale(self):
        forget_marks()
        customer = make_customer(objected_at=timezone.now())
        assert is_unscored(customer)
        assert marked() == []
        assert not Customer.objects.stale().exists()
        assert Customer.objects.get(pk=customer.pk).version == 1

    def test_of_many_who_come_the_others_alone_are_marked(self):
        forget_marks()
        now = timezone.now()
        Customer.objects.bulk_create(
            Customer(customer_id=key, objected_at=now if key % 3 == 0 else None, **A_CUSTOMER) for key in range(1, 31)
        )
        assert {customer for _kind, ids in marked() for customer in ids} == {key for key in range(1, 31) if key % 3}

    def test_an_upsert_that_does_not_name_it_leaves_it(self):
        customer = make_scored()
        edit(customer, objected_at=Now())
        again = Customer(customer_id=customer.pk, **{**A_CUSTOMER, "age": 66})
        Customer.objects.bulk_create([again], update_conflicts=True, unique_fields=["pk"], update_fields=["age"])
        assert is_unscored(customer)


class TestOldInstances:
    """A full save() writes whatever was read, long ago perhaps."""

    def test_one_that_was_read_before_does_not_withdraw_it(self):
        customer = make_scored()
        old = Customer.objects.get(pk=customer.pk)
        edit(customer, objected_at=Now())
        old.age = 55
        old.save()
        assert is_unscored(customer)
        assert Customer.objects.get(pk=customer.pk).age == 55

    def test_nor_does_one_with_deferred_fields(self):
        customer = make_scored()
        old = Customer.objects.defer("surname").get(pk=customer.pk)
        edit(customer, objected_at=Now())
        old.save()
        assert is_unscored(customer)

    def test_one_that_was_read_in_between_does_not_record_it_again(self):
        customer = make_scored()
        edit(customer, objected_at=Now())
        old = Customer.objects.get(pk=customer.pk)
        edit(customer, objected_at=None)
        old.save()
        assert Customer.objects.get(pk=customer.pk).objected_at is None

    def test_a_save_that_names_it_means_it_once(self):
        customer = make_scored()
        customer.objected_at = timezone.now()
        customer.save(update_fields=["objected_at"])
        assert is_unscored(customer)
        edit(customer, objected_at=None)
        customer.save()
        assert Customer.objects.get(pk=customer.pk).objected_at is None

    def test_a_new_instance_brings_it(self):
        Customer(customer_id=5, objected_at=timezone.now(), **A_CUSTOMER).save()
        assert is_unscored(Customer.objects.get(pk=5))


class TestLateScores:
    def test_a_score_of_the_version_before_is_not_stored(self):
        customer = make_customer()
        _, release = scorer.active_model()
        with transaction.atomic(), connection.cursor() as cursor, scorer.scorer_rights(cursor):
            claim = claim_one(cursor, customer.pk)
            edit(customer, objected_at=Now())
            assert scorer.store(cursor, claim, answers(0.9), release).rows == 0
        assert is_unscored(customer)
        assert not ScoreRecord.objects.exists()

    def test_nor_is_one_of_the_very_version_and_no_batch_fails_for_it(self):
        objector, other = make_customer(), make_customer()
        edit(objector, objected_at=Now())
        _, release = scorer.active_model()
        with transaction.atomic(), connection.cursor() as cursor, scorer.scorer_rights(cursor):
            claim = Claim(ids=[objector.pk, other.pk], versions=[2, 1], features=[tuple(A_CUSTOMER.values())] * 2)
            assert scorer.store(cursor, claim, answers(0.9, 0.8), release).rows == 1
        assert is_unscored(objector)
        assert list(ScoreRecord.objects.values_list("customer_id", flat=True)) == [other.pk]

    def test_the_table_itself_refuses_a_score_beside_an_objection(self):
        customer = make_scored()
        edit(customer, objected_at=Now())
        sql("ALTER TABLE customers_customer DISABLE TRIGGER USER")
        ours = {"churn_risk_score": 0.5, "value_at_risk": 0, "scored_at": timezone.now(), "reason_codes": [1]}
        for column, value in ours.items():
            with pytest.raises(IntegrityError, match="customer_objected_means_no_score"), transaction.atomic():
                edit(customer, **{column: value})

    @pytest.mark.django_db(transaction=True)
    def test_an_objection_that_waits_for_a_score_clears_that_score(self):
        customer = make_customer()
        _, release = scorer.active_model()
        is_claimed = Event()

        def object_in_psql():
            is_claimed.wait(30)
            with outsider() as session:
                session.execute(f"UPDATE customers_customer SET objected_at = now() WHERE customer_id = {customer.pk}")

        with (
            meanwhile(object_in_psql),
            transaction.atomic(),
            connection.cursor() as cursor,
            scorer.scorer_rights(cursor),
        ):
            claim = claim_one(cursor, customer.pk)
            is_claimed.set()
            await_that(waiting_for_locks, "the objection waits for the row")
            assert scorer.store(cursor, claim, answers(0.9), release).rows == 1
        assert is_unscored(customer)
        assert ScoreRecord.objects.count() == 1


class TestBanksOwnTriggers:
    def test_an_objection_that_one_records_counts(self):
        customer = make_scored()
        sql(BEHIND.format("NEW.objected_at := now();", "bank"))
        edit(customer, surname="Objects")
        assert is_unscored(customer)

    @pytest.mark.parametrize("name", ["bank", "zzzz_bank"])
    def test_an_objectors_field_that_one_changes_is_a_new_version_without_a_score(self, name):
        customer = make_scored()
        edit(customer, objected_at=Now())
        forget_marks()
        sql(BEHIND.format("NEW.age := 77;", name))
        edit(customer, surname="Changed")
        assert is_unscored(customer)
        assert Customer.objects.values_list("version", "age").get(pk=customer.pk) == (3, 77)
        assert scorer.rescore_batch().stored == 0

    def test_a_score_that_one_writes_in_front_of_the_stamp_is_cleared(self):
        customer = make_scored()
        edit(customer, objected_at=Now())
        sql(BEHIND.format("NEW.churn_risk_score := 0.99;", "bank"))
        edit(customer, surname="Risky")
        edit(customer, age=43)
        assert is_unscored(customer)

    def test_an_objection_in_the_write_of_a_score_wins(self):
        customer = make_customer()
        sql(BEHIND.format("IF NEW.churn_risk_score > 0 THEN NEW.objected_at := now(); END IF;", "bank"))
        assert scorer.rescore_batch() == scorer.Batch(claimed=1)
        assert is_unscored(customer)
        assert not ScoreRecord.objects.exists()
        assert scorer.rescore_batch().claimed == 0


def test_the_scorers_own_right_writes_no_score_beside_an_objection():
    customer = make_scored()
    edit(customer, objected_at=Now())
    write_as_scorer(customer, churn_risk_score=0.5)
    assert is_unscored(customer)


@pytest.mark.parametrize("time", ["infinity", "-infinity", "0001-01-01", "99999-01-01"])
def test_a_time_that_is_none_is_refused(time):
    """Python could not read it, and no page would show the customer any more."""
    customer = make_scored()
    with pytest.raises(IntegrityError, match="customer_objected_at_is_possible"), transaction.atomic():
        sql(f"UPDATE customers_customer SET objected_at = '{time}' WHERE customer_id = {customer.pk}")
