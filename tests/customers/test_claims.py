"""Finding stale rows and taking hold of them: in which order, how many, and who waits for whom."""

import pytest
from django.db import connection, transaction

from customers.claims import Claim, CustomerBusyError, anything_stale, claim_one, claim_stale
from customers.models import Customer, ModelRelease
from customers.releases import active_model
from tests.factories import make_customer, make_customers, make_scored
from tests.others import outsider

pytestmark = pytest.mark.django_db


def claim(limit=500):
    _forest, release = active_model()
    with connection.cursor() as cursor:
        return claim_stale(cursor, release, limit)


def test_an_empty_table_has_nothing_stale_and_nothing_to_claim():
    assert not anything_stale()
    assert len(claim()) == 0


def test_a_new_customer_is_stale_until_it_is_scored():
    make_customer()
    assert anything_stale()
    Customer.objects.all().delete()
    make_scored()
    assert not anything_stale()


def test_the_scores_of_a_former_model_are_stale():
    customer = make_scored()
    ModelRelease.objects.create(sha256="0" * 64)
    assert anything_stale()
    with connection.cursor() as cursor:
        assert claim_stale(cursor, ModelRelease.objects.active(), 500).ids == [customer.pk]


def test_who_has_waited_longest_comes_first():
    first, second, third = make_customers(3)
    for customer in (first, third, second):
        Customer.objects.filter(pk=customer.pk).update(age=90)  # the stale-since stays that of the insert
    assert claim().ids == [first.pk, second.pk, third.pk]


def test_no_more_are_claimed_than_was_asked_for():
    make_customers(5)
    assert len(claim(limit=2)) == 2


def test_what_people_have_edited_comes_before_what_only_a_new_model_made_stale():
    outdated, edited = make_scored(), make_scored()
    release = ModelRelease.objects.create(sha256="0" * 64)
    Customer.objects.filter(pk=edited.pk).update(age=41)
    with connection.cursor() as cursor:
        assert claim_stale(cursor, release, 1).ids == [edited.pk]
        assert outdated.pk not in claim_stale(cursor, release, 1).ids


def test_a_part_of_a_claim_keeps_its_columns_together():
    whole = Claim.of([(i, i * 10, None, None, i * 100) for i in (1, 2, 3)])
    assert whole.only([0, 2]) == Claim.of([(1, 10, None, None, 100), (3, 30, None, None, 300)])
    assert len(whole.only([])) == 0


def test_a_customer_who_is_not_there_can_not_be_claimed():
    with pytest.raises(Customer.DoesNotExist, match="no customer 999"), connection.cursor() as cursor:
        claim_one(cursor, 999)


def test_claiming_one_leaves_the_transactions_patience_as_it_was():
    customer = make_customer()
    with connection.cursor() as cursor:
        claim_one(cursor, customer.pk)
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


@pytest.mark.django_db(transaction=True)
class TestBesideAnOpenEdit:
    def test_a_locked_row_is_passed_over_and_found_when_it_is_free(self):
        locked, free = make_customers(2)
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET surname = 'Open' WHERE customer_id = %s", [locked.pk])
            with transaction.atomic():
                assert claim().ids == [free.pk]
            assert anything_stale()
            editor.commit()
        with transaction.atomic():
            assert claim().ids == [locked.pk, free.pk]

    @pytest.mark.parametrize("patience", [0.05, 0.0])
    def test_one_customer_is_waited_for_no_longer_than_the_settings_say(self, settings, patience):
        settings.ANALYZE_LOCK_SECONDS = patience
        customer = make_customer()
        with outsider(autocommit=False) as editor:
            editor.execute("SELECT FROM customers_customer WHERE customer_id = %s FOR UPDATE", [customer.pk])
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout TO '5s'")  # a wait without end fails otherwise
                with pytest.raises(CustomerBusyError):
                    claim_one(cursor, customer.pk)
                transaction.set_rollback(True)

    def test_a_foreign_key_to_a_customer_keeps_nobody_from_claiming_it(self):
        customer = make_customer()
        with outsider(autocommit=False) as referrer:
            referrer.execute("SELECT FROM customers_customer FOR KEY SHARE")
            with transaction.atomic():
                assert claim().ids == [customer.pk]
