"""One batch, or one analysis, where not all goes well: what is said, what is kept, and what the caller gets."""

import pytest
from django.db import DataError, InternalError, OperationalError, ProgrammingError, connection, transaction
from psycopg.errors import IdleInTransactionSessionTimeout, LockNotAvailable

from customers.models import Customer, ModelRelease, ScoreRecord, ScoringFailure
from customers.scoring import marks, scorer
from customers.scoring.failures import Refusal
from customers.scoring.writing import refuses_a_row
from tests.factories import edit, forget_marks, make_customer, make_customers, make_failure, make_scored, marked
from tests.others import outsider

pytestmark = pytest.mark.django_db

BEFORE_A_SCORE = """
CREATE FUNCTION bank_rule() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {}; RETURN NEW; END$$;
CREATE TRIGGER bank_rule BEFORE UPDATE OF churn_risk_score ON customers_customer
FOR EACH ROW EXECUTE FUNCTION bank_rule()"""


@pytest.fixture
def pace():
    yield scorer.pace
    for _ in range(10):
        scorer.pace.won()


def the_bank_adds(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def the_bank_broke_its_trigger():
    the_bank_adds(BEFORE_A_SCORE.format("INSERT INTO a_table_that_is_gone VALUES (1)"))


def refuse_all(forest, claim):
    """As ``explain`` where the model has no answer to any customer of this batch."""
    refusals = [Refusal(*row, "Odd.") for row in zip(claim.ids, claim.versions, strict=True)]
    return claim.only([]), forest.explain_matrix([]), refusals


class TestARuleOfTheBank:
    def test_a_customer_whom_it_refuses_is_named_and_the_batch_says_that_it_was_taken_apart(self, caplog):
        the_bank_adds("ALTER TABLE customers_customer ADD CHECK (age <> 66 OR churn_risk_score IS NULL)")
        make_customer()
        refused = make_customer(age=66)
        assert scorer.rescore_batch() == scorer.Batch(claimed=2, stored=1, refused=1)
        assert ScoringFailure.objects.get().customer_id == refused.pk
        assert "A batch could not be stored, its customers are tried one by one: IntegrityError" in caplog.text

    def test_one_that_gives_another_score_is_refused(self):
        the_bank_adds(BEFORE_A_SCORE.format("NEW.churn_risk_score := 0.5"))
        customer = make_customer()
        assert scorer.rescore_batch().refused == 1
        assert f"gives customer {customer.pk} another score" in ScoringFailure.objects.get().error
        with pytest.raises(DataError, match="another score"):
            scorer.analyze(customer.pk)

    def test_one_that_is_broken_is_no_fault_of_a_customer(self, caplog):
        the_bank_broke_its_trigger()
        customer = make_customer()
        with pytest.raises(ProgrammingError, match="a_table_that_is_gone"):
            scorer.rescore_batch()
        assert "one by one" not in caplog.text
        assert not ScoringFailure.objects.exists()
        assert (marks.LIVE, [customer.pk]) in marked()

    def test_that_is_so_too_after_a_batch_was_lost_to_an_editor(self, pace, monkeypatch):
        def lose(*_batch):
            raise OperationalError from LockNotAvailable()

        the_bank_broke_its_trigger()
        make_customer()
        monkeypatch.setattr(scorer, "store", lose)
        with pytest.raises(ProgrammingError, match="a_table_that_is_gone"):
            scorer.rescore_batch()
        assert not ScoringFailure.objects.exists()

    def test_an_analysis_says_what_is_broken(self):
        customer = make_customer()
        the_bank_broke_its_trigger()
        with pytest.raises(ProgrammingError, match="a_table_that_is_gone"):
            scorer.analyze(customer.pk)


def test_scores_that_came_too_late_for_their_model_are_marked_again(monkeypatch):
    customers = make_customers(2)
    scorer.active_model()
    explain = scorer.explain

    def explain_while_another_model_comes(forest, claim):
        ModelRelease.objects.create(sha256="0" * 64)
        forget_marks()  # whatever the release has marked, these marks are the batch's own to make
        return explain(forest, claim)

    monkeypatch.setattr(scorer, "explain", explain_while_another_model_comes)
    batch = scorer.rescore_batch()
    assert (batch.claimed, batch.stored, batch.rejected) == (2, 0, 2)
    assert marked() == [(marks.LARGE, [customer.pk for customer in customers])]
    assert not ScoreRecord.objects.exists()


def test_what_a_sweep_finds_is_scored_in_the_same_call_where_there_was_nothing_else():
    customer = make_scored()
    edit(customer, age=41)
    forget_marks()
    marks.mark_all()
    batch = scorer.rescore_batch()
    assert (batch.claimed, batch.stored, batch.swept) == (1, 1, True)
    assert not marked()


def test_a_model_that_became_active_before_the_claim_is_taken_up_at_once():
    make_scored()
    ModelRelease.objects.create(sha256="0" * 64)
    forget_marks()
    customer = make_customer()
    assert scorer.rescore_batch().stored == 1
    customer.refresh_from_db()
    assert customer.is_current()


def test_a_batch_that_goes_well_makes_the_next_one_larger(pace):
    make_customer()
    pace.lost()
    before = pace.limited(800)
    assert scorer.rescore_batch().stored == 1
    assert pace.limited(800) == 2 * before


@pytest.mark.parametrize("scores", [scorer.rescore_batch, lambda: scorer.analyze(Customer.objects.get().pk)])
def test_in_a_callers_transaction_the_rights_and_the_hurry_end_with_the_scoring(scores):
    make_customer()
    with transaction.atomic():
        scores()
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('vigilpay.scorer'), current_setting('lock_timeout')")
            assert cursor.fetchone() == ("off", "0")


@pytest.mark.django_db(transaction=True)
class TestBesideAnOpenEdit:
    def test_an_open_edit_of_a_failure_puts_the_batch_off_and_nothing_is_lost(self, pace, monkeypatch):
        customer = make_customer()
        scorer.active_model()
        make_failure(customer)
        edit(customer, age=41)
        monkeypatch.setattr(scorer, "explain", refuse_all)
        before, size_before = marked(), pace.limited(800)
        with outsider(autocommit=False) as editor:
            editor.execute("SELECT FROM customers_scoringfailure FOR UPDATE")
            assert scorer.rescore_batch() == scorer.Batch(claimed=0, passed_over=1)
            editor.rollback()
        assert pace.limited(800) < size_before
        assert marked() == before
        assert scorer.rescore_batch().refused == 1


def test_a_session_that_was_ended_for_standing_still_is_no_refusal_of_a_customer():
    error = InternalError("terminating connection")
    error.__cause__ = IdleInTransactionSessionTimeout()
    assert not refuses_a_row(error)
    error.__cause__ = None
    assert refuses_a_row(error)
