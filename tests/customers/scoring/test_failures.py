"""Customers whom the model can not score: isolated, tried again, given up, requeued, healed. The others never wait."""

import logging
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from customers.ml_service import InputError, ModelError
from customers.ml_service.forest.forest import Forest
from customers.models import Customer, ModelRelease, ScoreRecord, ScoringFailure
from customers.releases.active import active_model
from customers.scoring import failures, marks, scorer
from tests.factories import (
    answers,
    forget_marks,
    make_customer,
    make_customers,
    make_failure,
    make_scored,
    marked,
    no_trigger,
)

pytestmark = pytest.mark.django_db

POISON_AGE = 66
NAME = "Unmentionable"
BALANCE = "83477.91"  # no id of a row, of a release or of a process looks like it


@pytest.fixture(autouse=True)
def few_attempts(settings):
    settings.RETRY_ATTEMPTS = 3
    settings.RETRY_SECONDS = 10.0


def poison(**fields):
    return make_customer(surname=NAME, age=POISON_AGE, **fields)


def failure():
    return ScoringFailure.objects.get()


def time_passes():
    """Until whatever is to be tried again is due."""
    ScoringFailure.objects.filter(retry_at__isnull=False).update(retry_at=Now() - timedelta(seconds=1))


def try_again():
    marks.restore_marks()
    return scorer.rescore_batch()


def pause_seconds():
    return (failure().retry_at - failure().last_failed_at).total_seconds()


# --- what goes wrong, each for customers of one age -------------------------------------------------------------------


@contextmanager
def model_has_no_answer():
    """As an older database may hold: the rule of the table was added later, the model's is strict."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE customers_customer DROP CONSTRAINT customer_age_is_possible")
        with no_trigger():
            cursor.execute("UPDATE customers_customer SET age = 5 WHERE age = %s", [POISON_AGE])
    yield


@contextmanager
def forest_that_answers(answer, part="scores"):
    """The forest says this of the poison, in whatever company: as its score, or as another part of the answer."""
    explain = Forest.explain_matrix

    def explain_or(self, features):
        explained = explain(self, features)
        for position, values in enumerate(features):
            if values[3] == POISON_AGE:
                getattr(explained, part)[position] = answer()
        return explained

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Forest, "explain_matrix", explain_or)
        yield


A_STUMBLE = "A tree without leaves."


def stumble():
    raise ZeroDivisionError("A tree without leaves.")


@contextmanager
def rule_of_the_bank(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
    yield


A_CONSTRAINT = f"""ALTER TABLE customers_customer ADD CONSTRAINT no_customer_of_that_age
CHECK (age <> {POISON_AGE} OR churn_risk_score IS NULL)"""
A_TRIGGER = f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    IF NEW.age = {POISON_AGE} THEN RAISE 'scores of that age are under review'; END IF; RETURN NEW; END$$;
CREATE TRIGGER the_banks BEFORE UPDATE OF churn_risk_score ON customers_customer
FOR EACH ROW EXECUTE FUNCTION refuse()"""

TROUBLES = {
    "no answer": (model_has_no_answer, "Age is "),
    "an exception": (lambda: forest_that_answers(stumble), A_STUMBLE),
    "not a number": (lambda: forest_that_answers(lambda: float("nan")), "not a probability"),
    "more than certain": (lambda: forest_that_answers(lambda: 1.5), "not a probability"),
    "a reason that is no number": (
        lambda: forest_that_answers(lambda: float("inf"), "contributions"),
        "A contribution to the model's answer is not a number.",
    ),
    "a constraint": (lambda: rule_of_the_bank(A_CONSTRAINT), "no_customer_of_that_age"),
    "a trigger": (lambda: rule_of_the_bank(A_TRIGGER), "scores of that age are under review"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_one_customer_holds_up_no_other_and_is_recorded_with_the_reason(trouble):
    happens, said = TROUBLES[trouble]
    before, refused, after = make_customer(), poison(), make_customer()
    with happens():
        assert scorer.rescore_batch() == scorer.Batch(claimed=3, stored=2, refused=1)
    assert list(Customer.objects.stale()) == [refused]
    assert set(ScoreRecord.objects.values_list("customer_id", flat=True)) == {before.pk, after.pk}
    assert (failure().customer_id, failure().version, failure().attempts) == (refused.pk, 1, 1)
    assert failure().release == ModelRelease.objects.active()
    assert said in failure().error


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_name_or_value_of_a_customer_is_in_what_is_recorded_or_logged(trouble, caplog):
    happens, _said = TROUBLES[trouble]
    poison(balance=BALANCE)
    with happens():
        scorer.rescore_batch()
    assert ScoringFailure.objects.count() == 1
    for text in (failure().error, caplog.text, str(failure())):
        assert NAME not in text
        assert BALANCE not in text


def test_all_who_are_refused_for_one_reason_are_told_in_one_line(caplog):
    caplog.set_level(logging.DEBUG, "vigilpay.scoring")
    both = poison(), poison()
    with forest_that_answers(stumble):
        assert scorer.rescore_batch().refused == 2
    told = [(record.levelname, record.message) for record in caplog.records if record.name == "vigilpay.scoring"]
    assert len(told) == 2
    assert told[0] == ("DEBUG", "A batch of 2 could not be scored as a whole")
    # Rows are claimed in the order in which they lie in the table.
    whichever = [("WARNING", f"No score for customer {it.pk}, version 1 and 1 others: {A_STUMBLE}") for it in both]
    assert told[1] in whichever


def test_where_none_is_refused_the_database_is_asked_nothing():
    _forest, release = active_model()
    with CaptureQueriesContext(connection) as asked, connection.cursor() as cursor:
        failures.record(cursor, [], release)
    assert not asked.captured_queries


class TestTheModelItself:
    def test_one_that_has_no_answers_gives_no_customer_up(self, monkeypatch):
        make_customers(2)
        monkeypatch.setattr(Forest, "explain_matrix", lambda *args: stumble())
        monkeypatch.setattr(Forest, "predict_one", lambda *args: stumble())
        with pytest.raises(ModelError, match="cannot score any customer"):
            scorer.rescore_batch()
        assert not ScoringFailure.objects.exists()
        assert Customer.objects.stale().count() == 2
        monkeypatch.undo()
        assert scorer.rescore_batch().stored == 2  # their marks were not lost

    def test_one_that_says_itself_that_it_fails_is_not_asked_about_each_customer(self, monkeypatch):
        make_customer()

        def fail(*args):
            raise ModelError("The file is gone.")

        monkeypatch.setattr(Forest, "explain_matrix", fail)
        with pytest.raises(ModelError, match=r"The file is gone\."):
            scorer.rescore_batch()
        assert not ScoringFailure.objects.exists()

    def test_it_is_not_blamed_for_values_that_no_model_has_an_answer_to(self, monkeypatch):
        poison()
        monkeypatch.setattr(Forest, "predict_one", lambda *args: stumble())
        with model_has_no_answer():
            assert scorer.rescore_batch().refused == 1

    def test_it_is_not_blamed_where_it_says_what_it_can_not_score(self, monkeypatch):
        """A model of the bank with narrower bounds than ours."""
        poison()

        def refuse(*args):
            raise InputError("Too young for this model.", field="age")

        monkeypatch.setattr(Forest, "predict_one", refuse)
        with forest_that_answers(stumble):
            assert scorer.rescore_batch().refused == 1
        assert failure().error == A_STUMBLE

    def test_there_is_a_customer_whom_a_model_that_works_can_score(self):
        scorer.analyze(make_customer(**failures.ordinary_customer(active_model()[0])).pk)


@pytest.fixture
def strange_model():
    with forest_that_answers(stumble):
        yield


@pytest.mark.usefixtures("strange_model")
class TestAttempts:
    def test_until_it_is_due_it_is_not_tried_again(self):
        customer = poison()
        scorer.rescore_batch()
        marks.mark([customer.pk])
        assert try_again().claimed == 0
        assert failure().attempts == 1

    def test_the_pause_grows_fourfold_and_after_the_last_it_is_given_up(self):
        poison()
        scorer.rescore_batch()
        first = failure()
        assert pause_seconds() == pytest.approx(10, abs=0.5)
        time_passes()
        assert try_again().refused == 1
        assert (failure().attempts, pause_seconds()) == (2, pytest.approx(40, abs=0.5))
        time_passes()
        assert try_again().refused == 1
        assert (failure().attempts, failure().retry_at) == (3, None)
        assert list(ScoringFailure.objects.dead_letters()) == [failure()]
        assert failure().first_failed_at == first.first_failed_at
        assert failure().last_failed_at > first.last_failed_at

    def test_a_dead_letter_is_left_alone_whatever_is_marked(self):
        give_up(poison())
        forget_marks()
        marks.mark_all()
        assert marks.sweep()
        assert try_again().claimed == 0
        assert not marked()

    def test_where_one_attempt_is_enough_it_is_given_up_at_once(self, settings):
        settings.RETRY_ATTEMPTS = 1
        poison()
        scorer.rescore_batch()
        assert (failure().attempts, failure().retry_at) == (1, None)

    @pytest.mark.parametrize("named", [True, False])
    def test_requeued_it_is_tried_at_once_and_as_often_as_at_first(self, named):
        customer = give_up(poison())
        assert failures.requeue([customer.pk] if named else None) == 1
        marks.restore_marks()  # as a drain does
        assert scorer.rescore_batch().refused == 1
        assert (failure().attempts, pause_seconds()) == (1, pytest.approx(10, abs=0.5))

    def test_only_those_who_are_named_are_requeued(self):
        give_up(poison())
        assert failures.requeue([]) == 0
        assert failures.requeue([999_999]) == 0
        assert scorer.rescore_batch().claimed == 0

    def test_an_edit_begins_anew(self):
        customer = give_up(poison())
        Customer.objects.filter(pk=customer.pk).update(tenure=4)
        assert scorer.rescore_batch().refused == 1
        assert (failure().version, failure().attempts) == (2, 1)
        assert failure().retry_at is not None

    def test_an_edit_that_puts_it_right_heals_it(self):
        customer = give_up(poison())
        Customer.objects.filter(pk=customer.pk).update(age=40)
        assert scorer.rescore_batch().stored == 1
        assert not ScoringFailure.objects.exists()
        assert ScoreRecord.objects.get().cause == ScoreRecord.Cause.CREATED

    def test_another_model_begins_anew(self):
        give_up(poison())
        former = failure().release
        ModelRelease.objects.create(sha256="0" * 64)
        assert sum(scorer.rescore_batch().refused for _ in range(2)) == 1
        assert failure().release.pk > former.pk
        assert failure().attempts == 1
        assert failure().retry_at is not None

    def test_an_analysis_that_succeeds_heals_it(self):
        customer = give_up(poison())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Forest, "explain_matrix", lambda self, features: answers(*[0.25] * len(features)))
            assert scorer.analyze(customer.pk) == 0.25
        assert not ScoringFailure.objects.exists()
        assert ScoreRecord.objects.get().cause == ScoreRecord.Cause.ANALYZE

    def test_one_who_failed_though_scored_before_keeps_the_former_score_and_says_that_it_is_stale(self):
        customer = make_scored()
        Customer.objects.filter(pk=customer.pk).update(age=POISON_AGE)
        assert scorer.rescore_batch().refused == 1
        score = customer.churn_risk_score
        customer.refresh_from_db()
        assert customer.churn_risk_score == score
        assert not customer.is_current()


def test_a_customer_who_can_be_scored_at_last_is_healed_and_the_record_says_that_it_was_tried_before():
    customer = poison()
    with forest_that_answers(stumble):
        scorer.rescore_batch()
    time_passes()
    assert try_again().stored == 1
    assert not ScoringFailure.objects.exists()
    assert ScoreRecord.objects.get(customer_id=customer.pk).cause == ScoreRecord.Cause.RETRY


def test_failures_of_customers_who_are_gone_are_forgotten():
    make_scored()
    here, gone = make_customer(), make_customer()
    for customer in (here, gone):
        make_failure(customer)
    gone.delete()
    assert ScoringFailure.objects.forget_former_lives() == 1
    assert ScoringFailure.objects.get().pk == here.pk


def test_what_is_due_of_a_customer_who_is_gone_is_forgotten_when_marks_are_restored():
    gone, waiting = make_scored(), make_scored()
    make_failure(gone, retry_at=Now())
    make_failure(waiting, retry_at=Now())
    gone.delete()
    forget_marks()
    assert marks.restore_marks() == 1
    assert failure().customer_id == waiting.pk


@pytest.mark.django_db(transaction=True)
def test_the_failure_is_committed_with_the_scores_of_the_others():
    poison()
    make_customer()
    with forest_that_answers(stumble):
        scorer.rescore_batch()
        connection.close()
        assert failure().attempts == 1
    assert ScoreRecord.objects.count() == 1


def give_up(customer):
    """A customer who has failed as often as it may."""
    scorer.rescore_batch()
    while not ScoringFailure.objects.dead_letters().exists():
        time_passes()
        assert try_again().refused == 1
    return customer
