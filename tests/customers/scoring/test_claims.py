"""Finding stale rows and taking hold of them: in which order, how many, and who waits for whom."""

from itertools import chain, count

import pytest
from django.db import DataError, OperationalError, connection, transaction
from django.db.models import F

from customers.demo_data import generate
from customers.ml_service.schema import FEATURES
from customers.models import LARGEST_CUSTOMER_ID, Customer, ModelRelease, RescoreRequest, ScoreRecord
from customers.releases.active import active_model
from customers.scoring import marks, scorer
from customers.scoring.claims import Claim, CustomerBusyError, claim_next, claim_one
from tests.factories import (
    answers,
    forget_marks,
    held_rows_are_due,
    let_time_pass,
    lose_all_marks,
    make_customer,
    make_customers,
    make_scored,
    mark_as,
    marked,
)
from tests.others import outsider, together

pytestmark = pytest.mark.django_db


def claim(limit=500):
    _forest, release = active_model()
    with connection.cursor() as cursor:
        claim = claim_next(cursor, release, limit)
    if claim.sweep_is_due:
        marks.sweep()
    return claim


def anything_marked():
    """What the look asks, without the pause that only the room above knows of."""
    with connection.cursor() as cursor:
        cursor.execute(marks.LOOK)
        return cursor.fetchone()[0]


@pytest.fixture(autouse=True)
def first_turn(monkeypatch):
    """Of the turns that the kinds of marks take, so that each order is known."""
    monkeypatch.setattr(marks, "_turn", count(1))


def score_all():
    while scorer.rescore_batch().claimed or marked():
        pass


def test_an_empty_table_has_nothing_stale_and_nothing_to_claim():
    assert not anything_marked()
    assert len(claim()) == 0


def test_where_nothing_is_marked_the_customers_are_not_looked_at(django_assert_num_queries):
    _forest, release = active_model()
    with django_assert_num_queries(1), connection.cursor() as cursor:
        assert len(claim_next(cursor, release, 500)) == 0


def test_a_new_customer_is_claimed_until_it_is_scored():
    customer = make_customer()
    assert anything_marked()
    assert claim().ids == [customer.pk]
    scorer.analyze(customer.pk)
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
    score_all()
    release = ModelRelease.objects.create(sha256="0" * 64)
    assert anything_marked()
    marks.sweep()
    with connection.cursor() as cursor:
        assert claim_next(cursor, release, 500).ids == [customer.pk]


def test_so_are_those_of_a_model_whose_release_was_taken_back():
    """In plain SQL; Django goes back by one more release."""
    _forest, release = active_model()
    newer = ModelRelease.objects.create(sha256="0" * 64)
    customer = make_customer()
    with connection.cursor() as cursor, scorer.scorer_rights(cursor):
        assert scorer.store(cursor, claim_one(cursor, customer.pk), answers(0.5), newer).rows == 1
        forget_marks()
        cursor.execute("DELETE FROM customers_modelrelease WHERE id = %s", [newer.pk])
        assert list(Customer.objects.stale()) == [customer]
        marks.sweep()
        assert claim_next(cursor, release, 500).ids == [customer.pk]


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
    score_all()
    release = ModelRelease.objects.create(sha256="0" * 64)
    Customer.objects.filter(pk=edited.pk).update(age=41)
    marks.sweep()
    with connection.cursor() as cursor:
        assert claim_next(cursor, release, 1).ids == [edited.pk]
        assert outdated.pk in claim_next(cursor, release, 1).ids


def test_a_part_of_a_claim_keeps_its_columns_together():
    whole = Claim.from_rows([(i, i * 10, i * 100) for i in (1, 2, 3)])
    assert whole.only([0, 2]) == Claim.from_rows([(1, 10, 100), (3, 30, 300)])
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
            assert (marks.PASSED, [locked.pk]) in marked()
            editor.commit()
        held_rows_are_due()
        assert anything_marked()
        with transaction.atomic():
            assert locked.pk in claim().ids

    def test_one_that_was_passed_over_before_the_clock_was_set_back_is_due(self):
        customer = make_customer()
        forget_marks()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO customers_stalemark (kind, due_at, ids)"
                " VALUES (%s, clock_timestamp() + interval '1 hour', %s)",
                [marks.PASSED, [customer.pk]],
            )
        assert anything_marked()
        assert claim().ids == [customer.pk]

    def test_rows_that_one_transaction_holds_keep_no_other_waiting(self):
        """Formerly they came back as live marks, and filled each batch."""
        held = make_customers(30)
        with outsider(autocommit=False) as editor:
            editor.execute("SELECT FROM customers_customer FOR UPDATE")
            for _ in range(4):
                assert len(claim(limit=10)) == 0
            assert {kind for kind, _ in marked()} <= {marks.PASSED}
            free = make_customers(10)
            held_rows_are_due()
            assert set(claim(limit=10).ids) == {customer.pk for customer in free}
            editor.rollback()
        held_rows_are_due()
        assert set(claim(limit=200).ids) >= {customer.pk for customer in held}

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

    def test_an_error_that_is_no_lock_is_not_taken_for_one(self):
        customer = make_customer()
        with outsider(autocommit=False) as editor:
            editor.execute("SELECT FROM customers_customer WHERE customer_id = %s FOR UPDATE", [customer.pk])
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout TO '50ms'")
                with pytest.raises(OperationalError, match="statement timeout"):
                    claim_one(cursor, customer.pk)
                transaction.set_rollback(True)

    def test_a_foreign_key_to_a_customer_keeps_no_drain_from_claiming_it(self):
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
    """All, or these, as if they had been scored: by the hand of the scorer, and without a model."""
    release = ModelRelease.objects.active() or ModelRelease.objects.create(sha256="0" * 64)
    which = Customer.objects.filter(pk__in=ids) if ids else Customer.objects.all()
    with connection.cursor() as cursor, scorer.scorer_rights(cursor):
        which.update(churn_risk_score=0.5, stale_since=None, scored_version=F("version"), scored_by=release)
    return release


def claim_all(release, limit=500):
    """Claim until no mark is left. No row is scored in between, and yet none may come twice."""
    claimed = []
    with connection.cursor() as cursor:
        while marked():
            claim = claim_next(cursor, release, limit)
            claimed.append(claim.ids)
            if claim.sweep_is_due:
                marks.sweep()
    return claimed


class TestSweep:
    def test_it_goes_step_by_step_and_every_customer_is_claimed_once(self):
        ids = range(1, 20_001)
        copy_customers(ids)
        release = ModelRelease.objects.create(sha256="0" * 64)
        forget_marks()
        marks.mark_all()
        batches = claim_all(release)
        assert sorted(chain.from_iterable(batches)) == list(ids)
        assert max(map(len, batches)) < 500 + marks.ARRAY_IDS

    def test_a_few_stale_customers_among_many_are_found(self):
        copy_customers(range(1, 50_001))
        release = call_current()
        stale = [1, 8192, 8193, 31_000, 50_000]
        Customer.objects.filter(pk__in=stale).update(age=44)
        forget_marks()
        marks.mark_all()
        assert sorted(chain.from_iterable(claim_all(release))) == stale

    def test_a_step_looks_at_so_many_customers_and_no_more(self, monkeypatch):
        monkeypatch.setattr(marks, "SWEEP_ON", marks.SWEEP_ON.replace(str(marks.SWEEP_ROWS), "3"))
        make_customers(4)
        ids = sorted(Customer.objects.values_list("pk", flat=True))
        ModelRelease.objects.create(sha256="0" * 64)
        forget_marks()
        marks.mark_all()
        assert marks.sweep()
        assert marked() == [(marks.FOUND, ids[:3]), (marks.SWEEP, [ids[2] + 1])]
        assert marks.sweep()
        assert marked() == [(marks.FOUND, ids[:3]), (marks.FOUND, ids[3:])]
        assert not marks.sweep()

    def test_several_that_wait_go_on_as_one_from_the_first_of_their_places(self):
        make_customers(2)
        ModelRelease.objects.create(sha256="0" * 64)
        forget_marks()
        mark_as(marks.SWEEP, [LARGEST_CUSTOMER_ID], [0], [5])
        assert marks.sweep()
        [(kind, ids)] = marked()
        assert (kind, len(ids)) == (marks.FOUND, 2)

    def test_one_that_comes_to_the_largest_id_of_all_ends(self, monkeypatch):
        monkeypatch.setattr(marks, "SWEEP_ON", marks.SWEEP_ON.replace(str(marks.SWEEP_ROWS), "1"))
        make_customer(customer_id=LARGEST_CUSTOMER_ID)
        ModelRelease.objects.create(sha256="0" * 64)
        forget_marks()
        marks.mark_all()
        assert marks.sweep()
        assert marked() == [(marks.FOUND, [LARGEST_CUSTOMER_ID])]

    def test_a_drain_gets_on_with_it_only_when_what_it_found_is_done(self):
        make_scored()
        forget_marks()
        marks.mark_all()
        mark_as(marks.FOUND, [1], [2])
        assert not scorer.rescore_batch().swept
        assert scorer.rescore_batch().swept
        assert not marked()


def test_marks_that_overlap_claim_each_row_once():
    copy_customers(range(1, 301))
    release = ModelRelease.objects.create(sha256="0" * 64)
    forget_marks()
    mark_as(marks.LIVE, [7], [7], [8])
    mark_as(marks.LARGE, range(1, 65), range(32, 97), range(5, 11))
    assert [sorted(ids) for ids in claim_all(release)] == [list(range(1, 97))]


class TestWhoComesFirst:
    def test_kind_by_kind(self):
        copy_customers(range(1, 2_001))
        release = ModelRelease.objects.create(sha256="1" * 64)
        forget_marks()
        mark_as(marks.FOUND, range(1_001, 1_201))
        mark_as(marks.PASSED, range(801, 1_001))
        mark_as(marks.LARGE, range(401, 601), range(201, 401))
        mark_as(marks.LATER, [150], [149])
        mark_as(marks.LIVE, [3], [2], [1])
        with connection.cursor() as cursor:
            claims = [sorted(claim_next(cursor, release, 200).ids) for _ in range(4)]
        assert claims[0] == [1, 2, 3, 149, 150, *range(401, 601)]
        assert [ids[0] for ids in claims[1:]] == [201, 801, 1_001]

    def test_live_edits_without_end_starve_no_other_kind(self):
        copy_customers(range(1, 3_001))
        release = ModelRelease.objects.create(sha256="1" * 64)
        forget_marks()
        mark_as(marks.LATER, *[[i] for i in range(1, 101)])
        mark_as(marks.LARGE, range(101, 301))
        mark_as(marks.PASSED, range(301, 501))
        mark_as(marks.FOUND, range(501, 701))
        claimed = set()
        with connection.cursor() as cursor:
            for batch in range(60):
                live = range(1_000 + batch * 24, 1_024 + batch * 24)
                mark_as(marks.LIVE, *[[i] for i in live])
                ids = set(claim_next(cursor, release, 24).ids)
                assert ids >= set(live)
                claimed |= ids
        assert claimed >= set(range(1, 701))

    def test_no_kind_starves_another(self):
        copy_customers(range(1, 601))
        release = ModelRelease.objects.create(sha256="1" * 64)
        forget_marks()
        mark_as(marks.FOUND, [600])
        mark_as(marks.PASSED, [599])
        claimed = set()
        with connection.cursor() as cursor:
            for _ in range(20):
                mark_as(marks.LARGE, *[range(1, 201)] * 3)
                claimed |= set(claim_next(cursor, release, 200).ids)
        assert claimed >= {599, 600}


class TestOneWhoRests:
    """Another transaction has edited the customer, by one snapshot: its next edit fails if a score is stored before."""

    @pytest.fixture
    def resting(self):
        customer = make_customer()
        forget_marks()
        mark_as(marks.RESTING, [customer.pk])
        return customer

    def test_is_left_alone_for_a_second_after_the_last_edit(self, resting):
        passed = claim()
        assert (passed.ids, passed.passed_over) == ([], 1)
        let_time_pass("2 s")
        held_rows_are_due()
        assert claim().ids == [resting.pk]

    def test_is_left_alone_for_another_second_after_each_edit(self, resting):
        let_time_pass("3 s")
        Customer.objects.filter(pk=resting.pk).update(age=77)
        forget_marks()
        mark_as(marks.RESTING, [resting.pk])
        assert claim().passed_over == 1
        let_time_pass("2 s")
        held_rows_are_due()
        assert claim().ids == [resting.pk]

    def test_is_scored_at_last_though_edits_come_one_after_another(self, resting):
        let_time_pass("6 s")
        Customer.objects.filter(pk=resting.pk).update(age=77)
        forget_marks()
        mark_as(marks.RESTING, [resting.pk])
        assert claim().ids == [resting.pk]

    def test_is_scored_when_an_ordinary_edit_comes(self, resting):
        Customer.objects.filter(pk=resting.pk).update(age=77)
        assert claim().ids == [resting.pk]

    def test_is_scored_when_staff_ask_for_it(self, resting):
        RescoreRequest.objects.create(customer_ids=[resting.pk])
        assert claim().ids == [resting.pk]


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_they_share_the_work_and_claim_no_customer_twice(self):
        copy_customers(range(1, 6_001))
        shares = together(*[drain_alone] * 3)
        assert sum(shares) == 6_000
        assert ScoreRecord.objects.count() == 6_000
        assert ScoreRecord.objects.values("customer_id").distinct().count() == 6_000

    def test_the_second_takes_what_the_first_has_left(self):
        first_two = make_customers(2)
        others = make_customers(2)
        with outsider(autocommit=False) as other:
            other.execute("SELECT FROM customers_stalemark WHERE kind = 0 ORDER BY due_at LIMIT 2 FOR UPDATE")
            with transaction.atomic():
                assert set(claim().ids) == {customer.pk for customer in others}
        with transaction.atomic():
            assert set(claim().ids) >= {customer.pk for customer in first_two}


@pytest.mark.django_db(transaction=True)
class TestMarks:
    def test_they_go_in_the_transaction_that_stores_the_scores(self):
        make_customer()
        active_model()
        forget_marks()
        marks.mark(Customer.objects.values_list("pk", flat=True))
        before = marked()
        with transaction.atomic():
            assert scorer.rescore_batch().stored == 1
            assert not marked()
            transaction.set_rollback(True)
        assert marked() == before
        assert scorer.rescore_batch().stored == 1

    def test_those_lost_in_a_crash_of_the_database_are_made_good(self):
        customer = make_customer()
        active_model()
        lose_all_marks()
        assert anything_marked()
        assert scorer.rescore_batch().claimed == 0
        assert marks.restore_marks() == 1
        assert marks.restore_marks() == 0
        score_all()
        customer.refresh_from_db()
        assert customer.is_current()

    def test_so_are_those_of_a_table_of_customers_that_was_made_anew_as_by_a_restore(self):
        make_customer()
        forget_marks()
        assert not anything_marked()
        with connection.cursor() as cursor:
            cursor.execute("VACUUM FULL customers_customer")
        assert anything_marked()
        assert marks.restore_marks() == 1
        assert marks.restore_marks() == 0

    def test_they_count_as_lost_until_a_sweep_is_marked_for_good(self, monkeypatch):
        """A drain may be killed in the middle."""
        make_customer()
        lose_all_marks()
        monkeypatch.setattr(marks, "NOTHING_IS_LOST", "SELECT 1 / 0")
        with pytest.raises(DataError):
            marks.restore_marks()
        monkeypatch.undo()
        assert not marked()
        assert marks.restore_marks() == 1

    def test_an_edit_in_the_transaction_of_a_drain_leaves_a_mark_though_its_former_one_was_taken(self):
        customer = make_customer()
        with transaction.atomic():
            Customer.objects.filter(pk=customer.pk).update(age=50)
            assert scorer.rescore_batch().stored == 1
            Customer.objects.filter(pk=customer.pk).update(age=51)
        assert scorer.rescore_batch().stored == 1

    @pytest.mark.parametrize("during", ["_take", "sweep"])
    def test_those_of_a_release_that_comes_at_that_moment_are_not_lost(self, monkeypatch, during):
        """By the former release no row is outdated: a drain that went on with it would take the marks for nothing."""
        make_scored()
        forget_marks()
        marks.mark_all()
        real = getattr(marks, during)

        def released_meanwhile(*arguments):
            monkeypatch.setattr(marks, during, real)
            found = real(*arguments)
            release_once_more()
            return found

        monkeypatch.setattr(marks, during, released_meanwhile)
        score_all()
        assert not Customer.objects.stale().exists()


def release_once_more():
    """By another session: the active file, in service once more."""
    with outsider() as other:
        other.execute(
            "INSERT INTO customers_modelrelease (sha256, fingerprint, note, metadata)"
            " SELECT sha256, fingerprint, note, metadata FROM customers_modelrelease ORDER BY id DESC LIMIT 1"
        )


def drain_alone():
    """Until none is left; how many this one has scored."""
    stored = 0
    while marked() or Customer.objects.stale().exists():
        stored += scorer.rescore_batch(200).stored
    return stored
