"""Finding stale rows and taking hold of them: in which order, how many, and who waits for whom."""

from itertools import chain

import pytest
from django.db import DataError, connection, transaction
from django.db.models import F

from customers import marks, scoring
from customers.claims import Claim, CustomerBusyError, claim_one, claim_stale
from customers.demo_customers import generate
from customers.marks import Spans
from customers.ml_service.schema import FEATURES
from customers.models import LARGEST_CUSTOMER_ID, Customer, ModelRelease, ScoreRecord, StaleMark
from customers.releases import active_model
from tests.factories import answers, forget_marks, make_customer, make_customers, make_scored
from tests.others import outsider, together

pytestmark = pytest.mark.django_db


def claim(limit=500):
    _forest, release = active_model()
    with connection.cursor() as cursor:
        return claim_stale(cursor, release, limit)


def anything_marked():
    """What the look asks, without the pause that only the room above knows of."""
    with connection.cursor() as cursor:
        cursor.execute(marks.LOOK)
        return cursor.fetchone()[0]


def score_everybody():
    while scoring.rescore_batch().claimed or StaleMark.objects.exists():
        pass


def test_an_empty_table_has_nothing_stale_and_nothing_to_claim():
    assert not anything_marked()
    assert len(claim()) == 0


def test_a_new_customer_is_claimed_until_it_is_scored():
    customer = make_customer()
    assert anything_marked()
    assert claim().ids == [customer.pk]
    scoring.analyze(customer.pk)
    marks.mark([customer.pk])
    assert len(claim()) == 0
    assert not anything_marked()


def test_a_mark_of_a_customer_who_is_current_already_costs_one_look():
    make_scored()
    assert anything_marked()
    assert len(claim()) == 0
    assert not anything_marked()


def test_a_mark_of_a_customer_who_is_gone_costs_one_look():
    make_customer().delete()
    assert len(claim()) == 0
    assert not anything_marked()


def test_the_scores_of_a_former_model_are_stale():
    customer = make_scored()
    score_everybody()
    release = ModelRelease.objects.create(sha256="0" * 64)
    assert anything_marked()
    with connection.cursor() as cursor:
        assert claim_stale(cursor, release, 500).ids == [customer.pk]


def test_so_are_those_of_a_model_whose_release_was_taken_back():
    """In plain SQL; Django goes back by one more release."""
    _forest, release = active_model()
    newer = ModelRelease.objects.create(sha256="0" * 64)
    customer = make_customer()
    with connection.cursor() as cursor, scoring.scorer_rights(cursor):
        assert scoring.store(cursor, claim_one(cursor, customer.pk), answers(0.5), newer).rows == 1
        forget_marks()
        cursor.execute("DELETE FROM customers_modelrelease WHERE id = %s", [newer.pk])
        assert list(Customer.objects.stale()) == [customer]
        assert claim_stale(cursor, release, 500).ids == [customer.pk]


def test_who_was_marked_first_comes_first():
    first, second, third = make_customers(3)
    assert [claim(limit=1).ids for _ in range(3)] == [[first.pk], [second.pk], [third.pk]]


def test_who_is_edited_again_and_again_keeps_the_place_of_the_first_edit():
    first, second = make_customers(2)
    for age in range(50, 60):
        Customer.objects.filter(pk=first.pk).update(age=age)
        Customer.objects.filter(pk=second.pk).update(age=age)
    assert claim(limit=1).ids == [first.pk]


def test_no_more_are_claimed_than_was_asked_for():
    make_customers(5)
    assert len(claim(limit=2)) == 2


def test_what_people_have_edited_comes_before_what_only_a_new_model_made_stale():
    outdated, edited = make_scored(), make_scored()
    score_everybody()
    release = ModelRelease.objects.create(sha256="0" * 64)
    Customer.objects.filter(pk=edited.pk).update(age=41)
    with connection.cursor() as cursor:
        assert claim_stale(cursor, release, 1).ids == [edited.pk]
        assert outdated.pk in claim_stale(cursor, release, 1).ids


def test_a_part_of_a_claim_keeps_its_columns_together():
    whole = Claim.of([(i, i * 10, i * 100) for i in (1, 2, 3)])
    assert whole.only([0, 2]) == Claim.of([(1, 10, 100), (3, 30, 300)])
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
                found = claim()
                assert (found.ids, found.passed_over) == ([free.pk], 1)
            assert anything_marked()
            editor.commit()
        with transaction.atomic():
            assert locked.pk in claim().ids

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


# --- large edits ------------------------------------------------------------------------------------------------------


def copy_customers(ids):
    """Made-up customers with these ids, in one statement."""
    ids = list(ids)
    columns = ", ".join(["customer_id", *FEATURES])
    with connection.cursor() as cursor, cursor.copy(f"COPY customers_customer ({columns}) FROM STDIN") as copy:
        for customer_id, values in zip(ids, generate(len(ids), seed=5), strict=True):
            copy.write_row([customer_id, *values])


def call_current(*ids):
    """Everybody, or these, as if they had been scored: by the hand of the scorer, and without a model."""
    release = ModelRelease.objects.active() or ModelRelease.objects.create(sha256="0" * 64)
    which = Customer.objects.filter(pk__in=ids) if ids else Customer.objects.all()
    with connection.cursor() as cursor, scoring.scorer_rights(cursor):
        which.update(churn_risk_score=0.5, stale_since=None, scored_version=F("version"), scored_by=release)
    return release


def claim_all(release, limit=500):
    """Claim until no mark is left. Nobody is scored in between, and yet nobody may come twice."""
    claimed = []
    with connection.cursor() as cursor:
        while StaleMark.objects.exists():
            claimed.append(claim_stale(cursor, release, limit).ids)
    return claimed


class TestLargeEdit:
    def test_a_wide_mark_is_cut_piece_by_piece_and_everybody_is_claimed_once(self):
        ids = range(1, 20_001)
        copy_customers(ids)
        release = ModelRelease.objects.create(sha256="0" * 64)
        StaleMark.objects.all().delete()
        marks.mark_all()
        batches = claim_all(release)
        assert sorted(chain.from_iterable(batches)) == list(ids)
        assert max(map(len, batches)) <= 2 * 500 + 2 * marks.SLICE_ROWS

    def test_marks_that_overlap_claim_each_row_once(self):
        copy_customers(range(1, 2_001))
        release = ModelRelease.objects.create(sha256="0" * 64)
        StaleMark.objects.all().delete()
        span_marks(marks.LIVE, (7, 7), (7, 7), (8, 8))
        span_marks(marks.SLICE, (1, 64), (32, 96), (5, 10))
        claimed = claim_all(release)
        assert [sorted(ids) for ids in claimed] == [list(range(1, 97))]

    def test_a_few_stale_customers_among_many_are_found(self):
        copy_customers(range(1, 50_001))
        release = call_current()
        stale = [1, 8192, 8193, 31_000, 50_000]
        Customer.objects.filter(pk__in=stale).update(age=44)
        StaleMark.objects.all().delete()
        marks.mark_all()
        assert sorted(chain.from_iterable(claim_all(release))) == stale

    def test_no_transaction_looks_at_more_than_a_few_cuts_of_current_customers(self):
        copy_customers(range(1, 50_001))
        release = call_current()
        StaleMark.objects.all().delete()
        marks.mark_all()
        with connection.cursor() as cursor:
            claim_stale(cursor, release, 500)
        rest = StaleMark.objects.get()
        assert rest.first_id == marks.CUTS_IN_VAIN * marks.CUT_ROWS + 1

    def test_wide_marks_that_overlap_are_looked_through_once(self):
        """As a large edit in no order leaves them, by the hundred: each alone would look at everybody again."""
        copy_customers(range(1, 2 * marks.CUT_ROWS + 1))
        release = call_current()
        StaleMark.objects.all().delete()
        span_marks(marks.REGION, *[(1 + i, 2 * marks.CUT_ROWS - i) for i in range(50)])
        with connection.cursor() as cursor:
            claim = claim_stale(cursor, release, 500)
        assert (len(claim), claim.has_cut) == (0, True)
        assert not StaleMark.objects.exists()

    def test_narrow_ones_far_apart_are_cut_together(self):
        copy_customers(range(1, 20_001))
        release = ModelRelease.objects.create(sha256="0" * 64)
        StaleMark.objects.all().delete()
        span_marks(marks.REGION, *[(i * 1_000 + 1, i * 1_000 + 5) for i in range(20)])
        with connection.cursor() as cursor:
            claimed = claim_stale(cursor, release, 500).ids
        assert not StaleMark.objects.filter(id__gte=marks.REGION).exists()
        claimed += chain.from_iterable(claim_all(release))
        assert sorted(claimed) == sorted(i * 1_000 + j for i in range(20) for j in range(1, 6))

    def test_a_cut_that_ends_at_the_largest_id_of_all_is_the_last(self):
        ids = [*range(1, marks.CUT_ROWS), LARGEST_CUSTOMER_ID]
        copy_customers(ids)
        release = ModelRelease.objects.create(sha256="0" * 64)
        StaleMark.objects.all().delete()
        marks.mark_all()
        assert sorted(chain.from_iterable(claim_all(release))) == ids


def span_marks(kind, *spans):
    with connection.cursor() as cursor:
        for first, last in spans:
            cursor.execute(
                "INSERT INTO customers_stalemark SELECT nextval('customers_stalemark_id_seq') + %s, %s, %s",
                [kind, first, last],
            )


class TestWhoComesFirst:
    def test_a_live_edit_then_a_large_edit_then_a_former_model(self):
        copy_customers(range(1, 3_001))
        call_current()
        release = ModelRelease.objects.create(sha256="1" * 64)
        Customer.objects.filter(pk__gt=1_000, pk__lte=1_600).update(tenure=F("tenure") + 20)
        Customer.objects.filter(pk=3_000).update(age=33)
        StaleMark.objects.all().delete()
        span_marks(marks.OUTDATED, (1, LARGEST_CUSTOMER_ID))
        span_marks(marks.REGION, (1_001, 1_600))
        span_marks(marks.LIVE, (3_000, 3_000))
        with connection.cursor() as cursor:
            first, second = (claim_stale(cursor, release, 64).ids for _ in range(2))
        assert sorted(first) == [*range(1_001, 1_065), 3_000]
        assert set(range(1_065, 1_129)) <= set(second)
        assert 1 in second  # the former model's have their turn beside a large edit

    def test_live_edits_without_end_starve_neither_a_large_edit_nor_a_new_model(self):
        copy_customers(range(1, 2_001))
        release = call_current()
        Customer.objects.filter(pk__lte=500).update(age=33)
        release = ModelRelease.objects.create(sha256="1" * 64)
        StaleMark.objects.all().delete()
        span_marks(marks.REGION, (1, 500))
        span_marks(marks.OUTDATED, (1, LARGEST_CUSTOMER_ID))
        claimed = set()
        with connection.cursor() as cursor:
            for _ in range(100):
                span_marks(marks.LIVE, *[(1_999, 1_999), (2_000, 2_000)] * 2)
                ids = claim_stale(cursor, release, 64).ids
                assert {1_999, 2_000} <= set(ids) or {1_999, 2_000} <= claimed
                call_current(*ids)
                claimed |= set(ids)
        assert claimed == set(range(1, 2_001))


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_they_share_the_work_and_claim_nobody_twice(self):
        copy_customers(range(1, 6_001))
        shares = together(*[drain_alone] * 3)
        assert sum(shares) == 6_000
        assert ScoreRecord.objects.count() == 6_000
        assert ScoreRecord.objects.values("customer_id").distinct().count() == 6_000

    def test_the_second_takes_what_the_first_has_left(self):
        first_two = make_customers(2)
        others = make_customers(2)
        with outsider(autocommit=False) as other:
            other.execute("SELECT FROM customers_stalemark ORDER BY id LIMIT 2 FOR UPDATE")
            with transaction.atomic():
                assert set(claim().ids) == {customer.pk for customer in others}
        with transaction.atomic():
            assert set(claim().ids) >= {customer.pk for customer in first_two}


@pytest.mark.django_db(transaction=True)
class TestMarks:
    def test_they_go_in_the_transaction_that_stores_the_scores(self):
        make_customer()
        active_model()
        before = list(StaleMark.objects.values_list())
        with transaction.atomic():
            assert scoring.rescore_batch().stored == 1
            assert not StaleMark.objects.filter(id__lt=marks.SLICE).exists()
            transaction.set_rollback(True)
        assert list(StaleMark.objects.values_list()) == before
        assert scoring.rescore_batch().stored == 1

    def test_those_lost_in_a_crash_of_the_database_are_made_good(self):
        customer = make_customer()
        crash()
        assert anything_marked()
        assert scoring.rescore_batch().claimed == 0
        assert marks.restore_marks() == 1
        assert marks.restore_marks() == 0
        assert scoring.rescore_batch().stored == 1
        customer.refresh_from_db()
        assert customer.is_current()

    def test_they_count_as_lost_until_the_mark_of_everybody_is_there_for_good(self, monkeypatch):
        """A drain may be killed in the middle, and a sequence is not rolled back."""
        make_customer()
        crash()
        monkeypatch.setattr(marks, "NOTHING_IS_LOST", "SELECT 1 / 0")
        with pytest.raises(DataError):
            marks.restore_marks()
        monkeypatch.undo()
        assert anything_marked()
        StaleMark.objects.all().delete()
        assert marks.restore_marks() == 1

    def test_an_edit_in_the_transaction_of_a_drain_leaves_a_mark_though_its_former_one_was_taken(self):
        customer = make_customer()
        with transaction.atomic():
            Customer.objects.filter(pk=customer.pk).update(age=50)
            assert scoring.rescore_batch().stored == 1
            Customer.objects.filter(pk=customer.pk).update(age=51)
        assert scoring.rescore_batch().stored == 1

    @pytest.mark.parametrize("statement", ["_edited", "_cut"])
    def test_those_of_a_release_that_comes_in_the_middle_of_a_search_are_not_lost(self, monkeypatch, statement):
        """By the former release nobody is outdated: whoever goes on with it finds nobody, and takes the marks away."""
        make_scored()
        forget_marks()
        marks.mark_all()
        search = getattr(marks.Search, statement)

        def released_meanwhile(self, *arguments):
            found = search(self, *arguments)
            monkeypatch.undo()
            release_once_more()
            return found

        monkeypatch.setattr(marks.Search, statement, released_meanwhile)
        score_everybody()
        assert not Customer.objects.stale().exists()


def release_once_more():
    """By somebody else: the active file, in service once more."""
    with outsider() as other:
        other.execute(
            "INSERT INTO customers_modelrelease (sha256, fingerprint, note, metadata)"
            " SELECT sha256, fingerprint, note, metadata FROM customers_modelrelease ORDER BY id DESC LIMIT 1"
        )


def crash():
    """What is left of unlogged tables and sequences when PostgreSQL comes back."""
    StaleMark.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("ALTER SEQUENCE customers_stalemark_intact RESTART")
        cursor.execute("ALTER SEQUENCE customers_stalemark_id_seq RESTART")


def drain_alone():
    """Until nobody is left; how many this one has scored."""
    stored = 0
    while StaleMark.objects.exists() or Customer.objects.stale().exists():
        stored += scoring.rescore_batch(200).stored
    return stored


class TestSpans:
    def test_marks_that_overlap_or_touch_become_one(self):
        spans = Spans.of([(5, 8), (1, 3), (4, 6), (20, 30), (9, 9)])
        assert spans == Spans([1, 20], [9, 30])
        assert spans.ids() == 20

    def test_of_none_there_is_none(self):
        assert Spans.of([]).ids() == 0
