"""Claim, predict, write: what ends in the row, and what must not."""

import pytest
from django.db import connection, transaction

from customers.ml_service import Forest, InputError, ModelError, predict_churn, reasons_for
from customers.ml_service.reasons.reasons import numbered_reasons
from customers.models import Customer, ModelRelease, ScoreRecord
from customers.releases.active import active_model
from customers.scoring import scorer
from customers.scoring.claims import CustomerBusyError, claim_next, claim_one
from tests.factories import A_CUSTOMER, answers, make_customer, make_customers, make_scored
from tests.others import outsider

pytestmark = pytest.mark.django_db


def claim_now(customer):
    with connection.cursor() as cursor:
        return claim_one(cursor, customer.pk)


def store(claim, score=0.5, release=None):
    with connection.cursor() as cursor, scorer.scorer_rights(cursor):
        return scorer.store(cursor, claim, answers(*[score] * len(claim)), release or active_model()[1]).rows


class TestBatch:
    def test_a_stale_customer_gets_the_score_of_its_fields(self):
        customer = make_customer()
        batch = scorer.rescore_batch()
        customer.refresh_from_db()
        assert batch == scorer.Batch(claimed=1, stored=1)
        assert customer.churn_risk_score == pytest.approx(predict_churn(A_CUSTOMER), abs=1e-12)
        assert customer.is_current()

    def test_score_version_model_and_time_are_written_together(self):
        customer = make_customer()
        Customer.objects.filter(pk=customer.pk).update(age=41)
        scorer.rescore_batch()
        customer.refresh_from_db()
        assert (customer.version, customer.scored_version, customer.stale_since) == (2, 2, None)
        assert customer.scored_by == ModelRelease.objects.active()
        assert customer.scored_at is not None

    def test_the_reasons_are_written_with_the_score_and_add_up_to_it(self):
        customer = make_customer(age=58)
        scorer.rescore_batch()
        customer.refresh_from_db()
        forest, _release = active_model()
        record = ScoreRecord.objects.get()
        for stored in (customer.contributions, record.contributions):
            assert forest.base_value + sum(stored) == pytest.approx(customer.churn_risk_score, abs=1e-6)
        explanation = forest.explain_one({**A_CUSTOMER, "age": 58})
        assert customer.contributions == pytest.approx(list(explanation.contributions.values()), abs=1e-6)
        told = numbered_reasons(customer.reason_codes, customer.contributions, explanation.inputs)
        assert [reason.code for reason in told] == [reason.code for reason in reasons_for(explanation)]

    def test_there_are_no_more_codes_than_reasons(self, monkeypatch):
        make_customer()
        monkeypatch.setattr(Forest, "explain_matrix", lambda self, rows: answers(*[0.5] * len(rows)))
        scorer.rescore_batch()
        assert Customer.objects.get().reason_codes == []

    def test_whether_country_and_gender_are_named_is_a_setting(self, settings):
        settings.PROTECTED_FIELDS = []
        customer = make_scored(geography="Germany", age=41)
        assert {24, 25, 26, 27} & set(customer.reason_codes)
        assert not {28, 29} & set(customer.reason_codes)

    def test_nothing_stale_is_the_commonest_case_and_no_error(self):
        make_scored()
        assert scorer.rescore_batch() == scorer.Batch(claimed=0, stored=0)
        assert ScoreRecord.objects.count() == 1

    def test_a_batch_takes_no_more_than_its_limit_and_the_next_takes_the_rest(self):
        make_customers(5)
        assert [scorer.rescore_batch(limit=2).stored for _ in range(4)] == [2, 2, 1, 0]

    def test_the_limit_is_that_of_the_settings_unless_it_is_given(self, settings):
        settings.DRAIN_BATCH_ROWS = 3
        make_customers(5)
        assert scorer.rescore_batch().stored == 3

    def test_without_a_model_nothing_is_written_and_the_rows_stay_stale(self, assets):
        (assets / "model.pkl").unlink()
        customer = make_customer()
        with pytest.raises(ModelError):
            scorer.rescore_batch()
        assert list(Customer.objects.stale()) == [customer]
        assert not ScoreRecord.objects.exists()

    def test_a_row_that_the_model_can_not_score_holds_up_no_other(self):
        make_customer(customer_id=901)
        impossible = an_impossible_customer()
        make_customer(customer_id=903)
        batch = scorer.rescore_batch()
        assert batch == scorer.Batch(claimed=3, stored=2, refused=1)
        assert list(Customer.objects.stale()) == [impossible]

    def test_a_batch_of_nothing_but_such_rows_stores_nothing_and_raises_nothing(self):
        an_impossible_customer()
        batch = scorer.rescore_batch()
        assert (batch.claimed, batch.stored) == (1, 0)


class TestConditionalWrite:
    def test_a_score_is_refused_when_the_row_has_changed_since_it_was_read(self):
        customer = make_customer()
        claim = claim_now(customer)
        Customer.objects.filter(pk=customer.pk).update(age=41)
        assert store(claim) == 0
        customer.refresh_from_db()
        assert customer.churn_risk_score is None
        assert customer.stale_since is not None
        assert not ScoreRecord.objects.exists()

    def test_a_change_that_was_taken_back_refuses_it_too(self):
        customer = make_scored()
        claim = claim_now(customer)
        for age in (41, 40):
            Customer.objects.filter(pk=customer.pk).update(age=age)
        assert store(claim) == 0

    def test_a_new_surname_refuses_nothing(self):
        customer = make_customer()
        claim = claim_now(customer)
        Customer.objects.filter(pk=customer.pk).update(surname="Married")
        assert store(claim) == 1

    def test_a_score_is_refused_when_another_model_has_become_active_meanwhile(self):
        customer = make_scored()
        _forest, release = active_model()
        claim = claim_now(customer)
        ModelRelease.objects.create(sha256="0" * 64)
        assert store(claim, release=release) == 0
        customer.refresh_from_db()
        assert customer.churn_risk_score != 0.5
        assert ScoreRecord.objects.count() == 1

    def test_a_customer_who_is_gone_by_then_is_no_error(self):
        customer = make_customer()
        claim = claim_now(customer)
        customer.delete()
        assert store(claim) == 0

    def test_in_one_batch_the_changed_row_loses_and_the_others_are_stored(self):
        changed, same = make_customers(2)
        _forest, release = active_model()
        with connection.cursor() as cursor:
            claim = claim_next(cursor, release, 10)
        Customer.objects.filter(pk=changed.pk).update(credit_score=777)
        assert store(claim) == 1
        assert list(Customer.objects.stale()) == [changed]
        assert ScoreRecord.objects.get().customer_id == same.pk


class TestHistory:
    def test_every_stored_score_leaves_one_record_with_the_score_before_it(self):
        customer = make_customer()
        changed_at = customer.stale_since
        scorer.rescore_batch()
        Customer.objects.filter(pk=customer.pk).update(age=71)
        scorer.rescore_batch()
        second, first = ScoreRecord.objects.filter(customer_id=customer.pk)
        customer.refresh_from_db()
        assert (first.previous_score, first.version, first.stale_since) == (None, 1, changed_at)
        assert (second.previous_score, second.version) == (first.score, 2)
        assert (second.score, second.scored_at) == (customer.churn_risk_score, customer.scored_at)
        assert second.scored_by_id == customer.scored_by_id

    def test_it_outlives_the_customer(self):
        make_scored(customer_id=901).delete()
        assert ScoreRecord.objects.filter(customer_id=901).count() == 1

    def test_a_second_batch_over_the_same_rows_adds_nothing(self):
        make_customers(3)
        scorer.rescore_batch()
        scorer.rescore_batch()
        assert ScoreRecord.objects.count() == 3


class TestAnalyze:
    def test_it_returns_what_it_stored(self):
        customer = make_customer()
        score = scorer.analyze(customer.pk)
        customer.refresh_from_db()
        assert customer.churn_risk_score == score == pytest.approx(predict_churn(A_CUSTOMER), abs=1e-12)
        assert customer.is_current()

    def test_every_call_scores_and_stores_even_when_the_row_is_current(self):
        customer = make_scored()
        before = customer.scored_at
        scorer.analyze(customer.pk)
        customer.refresh_from_db()
        assert customer.scored_at > before
        assert ScoreRecord.objects.filter(customer_id=customer.pk).count() == 2

    def test_no_such_customer_is_there(self):
        with pytest.raises(Customer.DoesNotExist):
            scorer.analyze(999)

    def test_a_row_that_the_model_can_not_score_says_which_field(self):
        customer = an_impossible_customer()
        with pytest.raises(InputError, match="num_of_products") as refused:
            scorer.analyze(customer.pk)
        assert refused.value.field == "num_of_products"

    def test_a_model_that_changes_meanwhile_is_taken_up_and_the_score_is_its(self, monkeypatch):
        customer = make_customer()
        after_the_first_claim(monkeypatch, lambda: ModelRelease.objects.create(sha256="0" * 64))
        scorer.analyze(customer.pk)
        customer.refresh_from_db()
        assert customer.is_current()
        assert ScoreRecord.objects.count() == 1

    def test_models_that_change_again_and_again_end_in_an_answer_that_nothing_was_written(self, monkeypatch):
        customer = make_customer()
        claim = scorer.claim_one

        def claim_while_models_change(*given):
            ModelRelease.objects.create(sha256="0" * 64)
            return claim(*given)

        monkeypatch.setattr(scorer, "claim_one", claim_while_models_change)
        with pytest.raises(CustomerBusyError, match="changed again and again"):
            scorer.analyze(customer.pk)
        assert not ScoreRecord.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestBesideAnOpenEdit:
    def test_a_locked_row_blocks_no_batch_and_is_scored_once_it_is_free(self):
        locked, free = make_customers(2)
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 88 WHERE customer_id = %s", [locked.pk])
            assert scorer.rescore_batch() == scorer.Batch(claimed=1, stored=1, passed_over=1)
            assert list(Customer.objects.stale()) == [locked]
            editor.commit()
        assert scorer.rescore_batch().stored == 1
        locked.refresh_from_db()
        assert locked.churn_risk_score == pytest.approx(predict_churn({**A_CUSTOMER, "age": 88}), abs=1e-12)
        assert free.pk != locked.pk

    def test_an_edit_that_is_rolled_back_leaves_the_score_it_had(self):
        customer = make_scored()
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 88")
            assert scorer.rescore_batch().claimed == 0
            editor.rollback()
        customer.refresh_from_db()
        assert customer.is_current()

    def test_analyze_gives_up_on_a_locked_row_and_writes_nothing(self, settings):
        settings.ANALYZE_LOCK_SECONDS = 0.05
        customer = make_scored()
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 88")
            with pytest.raises(CustomerBusyError, match="editing"):
                scorer.analyze(customer.pk)
            editor.commit()
        assert ScoreRecord.objects.count() == 1
        assert scorer.analyze(customer.pk) == pytest.approx(predict_churn({**A_CUSTOMER, "age": 88}), abs=1e-12)

    def test_the_callers_transaction_survives_a_customer_that_is_busy(self, settings):
        settings.ANALYZE_LOCK_SECONDS = 0.05
        busy, free = make_customers(2)
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 88 WHERE customer_id = %s", [busy.pk])
            with transaction.atomic():
                with pytest.raises(CustomerBusyError):
                    scorer.analyze(busy.pk)
                scorer.analyze(free.pk)
        assert list(Customer.objects.stale()) == [busy]


def an_impossible_customer():
    """As an older database may hold: the rule of the table was added later, the model's is strict."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE customers_customer DROP CONSTRAINT customer_num_of_products_is_possible")
    return make_customer(customer_id=902, num_of_products=0)


def after_the_first_claim(monkeypatch, happens):
    claim, pending = scorer.claim_one, [happens]

    def claim_then(*given):
        claimed = claim(*given)
        while pending:
            pending.pop()()
        return claimed

    monkeypatch.setattr(scorer, "claim_one", claim_then)
