"""A drain and an editor want the same: the editor gets it, at once, and nothing is lost."""

from time import monotonic

import pytest
from django.db import connection

from customers.models import Customer, ScoringFailure
from customers.releases.active import active_model
from customers.scoring import marks, scorer, writing
from customers.scoring.contention import FEW_ROWS, Pace
from customers.scoring.scorer import CustomerBusyError
from events import jobs
from tests.factories import edit, forget_marks, held_rows_are_due, make_customer, make_scored, marked
from tests.others import await_that, meanwhile, outsider, waiting_for_locks

EDIT = "UPDATE customers_customer SET age = age + 1 WHERE customer_id = %s"
# One row that every writer of a customer wants (or, by country, some of them), until its transaction ends.
COUNTS = """
CREATE TABLE bank_counter (key text PRIMARY KEY, n bigint NOT NULL);
INSERT INTO bank_counter VALUES ('France', 0), ('Spain', 0);
CREATE FUNCTION bank_count() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN UPDATE bank_counter SET n = n + 1 WHERE key = NEW.geography; RETURN NULL; END$$;
CREATE TRIGGER bank_count AFTER UPDATE ON customers_customer FOR EACH ROW EXECUTE FUNCTION bank_count();
"""
COUNTS_NO_MORE = "DROP TRIGGER bank_count ON customers_customer; DROP FUNCTION bank_count; DROP TABLE bank_counter"


@pytest.fixture(autouse=True)
def at_ease(monkeypatch):
    monkeypatch.setattr(writing, "pace", Pace())
    monkeypatch.setattr(scorer, "pace", writing.pace)


@pytest.mark.django_db
def test_of_a_batch_that_is_lost_the_first_is_passed_over_and_each_other_can_be_taken_alone():
    customers = [make_customer().pk for _ in range(3)]
    _forest, release = active_model()
    forget_marks()
    with connection.cursor() as cursor:
        scorer.mark_again(cursor, release, customers, set())
    first, *others = customers
    assert marked() == [*((marks.LATER, [other]) for other in others), (marks.PASSED, [first])]


class TestPace:
    def test_it_takes_fewer_after_a_loss_and_more_as_it_wins(self):
        pace = Pace()
        assert pace.limited(500) == 500
        pace.lost()
        assert pace.limited(500) == 62
        for _ in range(9):
            pace.lost()
        assert pace.limited(500) == pace.limited(1) == 1
        for _ in range(9):
            pace.won()
        assert pace.limited(500) == 500


@pytest.fixture
def counting(transactional_db):
    with outsider() as bank:
        bank.execute(COUNTS)
    yield
    with outsider() as bank:
        bank.execute(COUNTS_NO_MORE)


class TestATriggerOfTheBank:
    def test_that_wants_what_an_open_edit_holds_costs_the_drain_its_batch_and_nothing_else(self, counting):
        other, ours = make_scored(), make_scored()
        edit(ours, age=61)
        with outsider(autocommit=False) as editor:
            editor.execute(EDIT, [other.pk])
            for _ in range(3):
                batch = scorer.rescore_batch()
                assert (batch.stored, batch.rejected, batch.passed_over) == (0, 0, 1)
                held_rows_are_due()
            editor.commit()
        assert not ScoringFailure.objects.exists()
        assert sum(scorer.rescore_batch().stored for _ in range(3)) == 2

    def test_an_editor_who_holds_it_and_wants_our_customer_gets_it_long_before_there_is_a_deadlock(self, counting):
        other, ours = make_scored(), make_scored()
        edit(ours, age=61)
        with outsider(autocommit=False) as editor:
            editor.execute(EDIT, [other.pk])

            def drain():
                return scorer.rescore_batch()

            with meanwhile(drain):
                await_that(waiting_for_locks, "the drain holds the customer and wants the counter")
                began = monotonic()
                editor.execute(EDIT, [ours.pk])
                assert monotonic() - began < 0.9  # deadlock_timeout is 1 s
                editor.commit()
        for _ in range(3):
            held_rows_are_due()
            scorer.rescore_batch()
        assert Customer.objects.filter(stale_since=None).count() == 2

    def test_those_it_does_not_concern_are_scored_meanwhile(self, counting):
        held = make_scored(geography="Spain")
        behind = [make_scored(geography="Spain") for _ in range(FEW_ROWS + 2)]
        free = [make_scored(geography="France") for _ in range(20)]
        for customer in [*behind, *free]:
            edit(customer, age=62)
        with outsider(autocommit=False) as editor:
            editor.execute(EDIT, [held.pk])
            current = Customer.objects.filter(stale_since=None)
            for _ in range(60):
                if current.filter(geography="France").count() < len(free):
                    scorer.rescore_batch()
            assert current.filter(geography="France").count() == len(free)
            assert not current.filter(pk__in=[customer.pk for customer in behind]).exists()
        assert not ScoringFailure.objects.exists()

    def test_a_job_ends_without_an_error_and_leaves_it_to_the_next(self, counting):
        other, ours = make_scored(), make_scored()
        edit(ours, age=61)
        with outsider(autocommit=False) as editor:
            editor.execute(EDIT, [other.pk])
            assert jobs.rescore_stale() == 0
        assert jobs.rescore_stale() == 1

    def test_analyze_says_that_the_customer_is_busy(self, counting):
        other, ours = make_scored(), make_scored()
        with outsider(autocommit=False) as editor:
            editor.execute(EDIT, [other.pk])
            with pytest.raises(CustomerBusyError, match="open edit holds what has to be written"):
                scorer.analyze(ours.pk)
        assert scorer.analyze(ours.pk) == ours.churn_risk_score


@pytest.mark.django_db
def test_a_role_without_any_special_right_may_set_all_of_it():
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE vigilpay_plain_worker; SET LOCAL ROLE vigilpay_plain_worker")
        cursor.execute(scorer.TAKE_RIGHTS_IN_A_HURRY)
        cursor.execute("SELECT current_setting('lock_timeout'), current_user")
        assert cursor.fetchone() == ("50ms", "vigilpay_plain_worker")
