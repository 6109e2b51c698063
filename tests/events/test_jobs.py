"""What the workers run: drains that end, hand over, survive a broken model, and a sweep for what was missed."""

import shutil
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from django.db import connection
from django_q.models import OrmQ

from customers.ml_service import current_forest, load_forest
from customers.models import Customer, DriftCheck, FairnessCheck, ModelFile, ModelRelease, ScoreRecord, ScoringFailure
from customers.releases import active
from customers.scoring import marks, scorer
from events import jobs
from events.models.engine import Watch
from events.queue import dispatch, lease
from tests.factories import (
    A_CUSTOMER,
    forget_marks,
    held_rows_are_due,
    make_customer,
    make_customers,
    make_failure,
    make_scored,
    marked,
    random_rows,
    refer_to,
    write_as_scorer,
)
from tests.others import outsider

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def short_leases(monkeypatch):
    """Drains end soon after their last find, so that tests do; none of that time goes into loading the model."""
    current_forest().predict_one(A_CUSTOMER)
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.05)


def nothing_is_stale():
    return not Customer.objects.stale().exists()


class TestDrain:
    def test_it_scores_what_is_stale_and_says_how_many(self):
        make_customers(3)
        assert jobs.rescore_stale() == 3
        assert nothing_is_stale()

    def test_an_empty_queue_is_the_commonest_case(self):
        assert jobs.rescore_stale() == 0
        assert not ScoreRecord.objects.exists()

    def test_it_may_run_twice(self):
        make_customers(2)
        assert [jobs.rescore_stale(), jobs.rescore_stale()] == [2, 0]
        assert ScoreRecord.objects.count() == 2

    def test_it_may_run_after_the_customers_are_gone(self):
        make_customers(2)
        Customer.objects.all().delete()
        assert jobs.rescore_stale() == 0

    def test_a_change_that_comes_while_it_looks_is_scored_by_the_same_drain(self, monkeypatch):
        customer = make_customer()
        monkeypatch.setattr(lease, "LEASE_SECONDS", 0.5)
        sleep, edits = jobs.sleep, [lambda: Customer.objects.filter(pk=customer.pk).update(age=66)]

        def sleep_during_an_edit(seconds):
            while edits:
                edits.pop()()
            sleep(seconds)

        monkeypatch.setattr(jobs, "sleep", sleep_during_an_edit)
        assert jobs.rescore_stale() == 2
        assert nothing_is_stale()

    def test_as_long_as_it_finds_work_it_extends_the_lease_so_that_no_edit_need_notify(self, monkeypatch):
        monkeypatch.setattr(lease, "LEASE_SECONDS", 0.0)
        make_customers(3)
        scoring_finds_one_at_a_time(monkeypatch)
        assert not lease.is_held()
        jobs.rescore_stale()
        assert lease.is_held()

    def test_it_does_not_end_before_a_sweep_does(self, monkeypatch):
        monkeypatch.setattr(lease, "LEASE_SECONDS", 0.0)
        monkeypatch.setattr(marks, "SWEEP_ON", marks.SWEEP_ON.replace(str(marks.SWEEP_ROWS), "1"))
        for customer_id in range(2, 20, 2):
            make_scored(customer_id=customer_id)
        make_customer(customer_id=20)
        forget_marks()
        marks.mark_all()
        assert jobs.rescore_stale() == 1

    def test_when_its_time_is_up_it_queues_a_successor_and_extends_the_lease_for_it(self, settings):
        settings.DRAIN_SECONDS = 0.0
        make_customer()
        jobs.rescore_stale()
        assert [job.func() for job in OrmQ.objects.all()] == ["events.jobs.rescore_stale"]
        assert Watch.objects.exists()

    def test_when_it_is_done_it_leaves_nothing_behind_in_the_queue(self):
        make_customers(3)
        jobs.rescore_stale()
        assert not OrmQ.objects.exists()


class TestUnscorableRow:
    @pytest.fixture
    def poison(self):
        """As an older database may hold: the rule of the table was added later, the model's is strict."""
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE customers_customer DROP CONSTRAINT customer_num_of_products_is_possible")
        return make_customer(customer_id=900_001, num_of_products=0)

    def test_it_holds_up_no_other_customer(self, poison):
        make_customers(3)
        assert jobs.rescore_stale() == 3
        assert list(Customer.objects.stale()) == [poison]

    def test_it_does_not_keep_a_drain_from_ending(self, poison):
        assert jobs.rescore_stale() == 0

    def test_a_drain_that_only_finds_it_does_not_extend_the_lease(self, poison):
        jobs.rescore_stale()
        assert not lease.is_held()

    def test_a_drain_does_not_spin_on_it(self, poison, monkeypatch):
        monkeypatch.setattr(lease, "LEASE_SECONDS", 0.5)
        sleep, pauses = jobs.sleep, []
        tries = count_tries(monkeypatch)
        monkeypatch.setattr(jobs, "sleep", lambda seconds: (pauses.append(seconds), sleep(seconds)))
        jobs.rescore_stale()
        assert [claim.ids for claim in tries if claim.ids] == [[poison.pk]]
        assert set(pauses) == {jobs.POLL_PAUSE_SECONDS}

    def test_it_holds_up_no_row_of_a_former_model(self, poison, assets, another_forest):
        outdated = make_scored()
        shutil.copy(another_forest, assets / "model.pkl")
        assert jobs.rescore_stale() == 1
        outdated.refresh_from_db()
        assert outdated.is_current()

    def test_it_is_scored_in_the_same_drain_when_an_editor_puts_it_right(self, poison):
        assert scorer.rescore_batch().refused == 1
        Customer.objects.filter(pk=poison.pk).update(num_of_products=1)
        assert scorer.rescore_batch().stored == 1

    def test_it_is_scored_when_an_editor_has_put_it_right(self, poison):
        jobs.rescore_stale()
        Customer.objects.filter(pk=poison.pk).update(num_of_products=1)
        assert jobs.rescore_stale() == 1


class TestBrokenModel:
    @pytest.fixture
    def model_file(self, assets):
        return assets / "model.pkl"

    @pytest.mark.parametrize("damage", ["missing everywhere", "truncated", "something else"])
    def test_nothing_is_raised_edits_go_on_and_their_rows_stay_stale(self, model_file, damage, caplog):
        customer = make_scored()
        content = model_file.read_bytes()
        model_file.unlink()
        if damage == "missing everywhere":
            ModelFile.objects.all().delete()
        else:
            model_file.write_bytes(content[:1000] if damage == "truncated" else b"something else")
        active.forget_active()
        customer.age = 44
        customer.save()
        assert jobs.rescore_stale() == 0
        assert list(Customer.objects.stale()) == [customer]
        assert ScoreRecord.objects.count() == 1
        assert "No customer can be scored, edits go on" in caplog.text

    def test_another_machine_that_has_the_model_is_not_kept_from_looking(self, model_file):
        model_file.unlink()
        make_customer()
        jobs.rescore_stale()
        assert not lease.is_held()

    def test_it_is_told_once_by_whichever_job_and_once_more_when_it_is_over(self, model_file, caplog):
        content = model_file.read_bytes()
        make_scored()
        model_file.unlink()
        ModelFile.objects.all().delete()
        make_customer()
        caplog.clear()
        for job in (jobs.rescore_stale, jobs.rescore_stale, jobs.sweep_stale, jobs.audit_sample):
            job()
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        model_file.write_bytes(content)
        caplog.clear()
        for _ in range(2):
            jobs.rescore_stale()
        assert caplog.messages == ["Customers are scored again, after 0 s."]

    def test_another_reason_is_told_as_well(self, model_file, caplog):
        model_file.unlink()
        jobs.rescore_stale()
        model_file.write_bytes(b"something else")
        jobs.rescore_stale()
        assert [record.levelname for record in caplog.records].count("ERROR") == 2

    def test_releases_that_follow_each_other_are_no_fault_and_the_work_is_handed_over(self, monkeypatch, caplog):
        def moved_on(*_model):
            raise active.ReleaseMovedOnError("The active model has just changed.")

        make_scored()
        caplog.clear()
        monkeypatch.setattr(scorer, "batch_of", moved_on)
        assert jobs.rescore_stale() == 0
        assert not caplog.records
        assert [job.func() for job in OrmQ.objects.all()] == [dispatch.RESCORE_JOB]

    def test_scoring_goes_on_when_the_file_is_back(self, model_file):
        content = model_file.read_bytes()
        model_file.unlink()
        make_customers(2)
        jobs.rescore_stale()
        model_file.write_bytes(content)
        assert jobs.rescore_stale() == 2
        assert nothing_is_stale()

    def test_a_model_that_breaks_in_the_middle_of_a_drain_ends_it(self, model_file, monkeypatch):
        make_customers(3)
        rescore = scorer.rescore_batch

        def rescore_one_then_lose_the_file():
            batch = rescore(limit=1)
            model_file.unlink(missing_ok=True)
            ModelFile.objects.all().delete()
            return batch

        monkeypatch.setattr(scorer, "rescore_batch", rescore_one_then_lose_the_file)
        assert jobs.rescore_stale() == 1
        assert Customer.objects.stale().count() == 2

    def test_the_sweep_too_only_says_so(self, model_file, caplog):
        model_file.unlink()
        make_customer()
        assert not jobs.sweep_stale()
        assert not OrmQ.objects.exists()
        assert "No customer can be scored, edits go on" in caplog.text


class TestNewModelFile:
    def test_a_drain_notices_it_though_no_row_was_stale(self, assets, another_forest):
        customer = make_scored()
        shutil.copy(another_forest, assets / "model.pkl")
        assert jobs.rescore_stale() == 1
        customer.refresh_from_db()
        assert customer.churn_risk_score == load_forest(another_forest).predict_one(A_CUSTOMER)

    def test_the_sweep_notices_it_and_wakes_a_worker(self, assets, another_forest):
        make_scored()
        forget_marks()
        assert not jobs.sweep_stale()
        shutil.copy(another_forest, assets / "model.pkl")
        assert jobs.sweep_stale()
        assert OrmQ.objects.count() == 1


class TestSweep:
    def test_it_wakes_a_worker_for_what_all_others_missed(self):
        make_customer()
        assert jobs.sweep_stale()
        assert OrmQ.objects.count() == 1

    def test_it_wakes_no_worker_when_all_is_current(self):
        make_scored()
        forget_marks()
        assert not jobs.sweep_stale()
        assert not OrmQ.objects.exists()

    def test_it_marks_a_failed_customer_who_is_due_again(self):
        customer = make_scored()
        fail(customer, retry_at=datetime(2020, 1, 1, tzinfo=UTC))
        forget_marks()
        assert jobs.sweep_stale()
        assert marked() == [(marks.LARGE, [customer.pk])]

    def test_a_failure_of_a_customer_who_is_gone_keeps_no_worker_busy(self):
        customer = make_customer()
        fail(customer, retry_at=datetime(2020, 1, 1, tzinfo=UTC))
        customer.delete()
        jobs.rescore_stale()
        assert not dispatch.anything_to_do()
        assert not ScoringFailure.objects.exists()


class TestLookAtEverybody:
    def test_it_finds_a_stale_customer_without_a_mark(self):
        customer = make_customer()
        forget_marks()
        assert not dispatch.anything_to_do()
        assert jobs.look_at_everybody()
        assert jobs.rescore_stale() == 1
        customer.refresh_from_db()
        assert customer.is_current()

    def test_it_scores_no_customer_who_is_current(self):
        make_scored()
        jobs.look_at_everybody()
        assert jobs.rescore_stale() == 0
        assert ScoreRecord.objects.count() == 1


@pytest.mark.django_db(transaction=True)
class TestFullBatches:
    """Of customers who are committed: a drain with much to do has a second thread, with a connection of its own."""

    def test_it_goes_on_batch_after_batch(self, settings):
        settings.DRAIN_BATCH_ROWS = 2
        make_customers(7)
        assert jobs.rescore_stale() == 7
        assert nothing_is_stale()
        assert ScoreRecord.objects.count() == 7

    def test_batches_of_customers_who_are_gone_do_not_end_it(self, settings, monkeypatch):
        settings.DRAIN_BATCH_ROWS = 2
        monkeypatch.setattr(lease, "LEASE_SECONDS", 1.0)
        gone = make_customers(6)
        make_customers(2)
        Customer.objects.filter(pk__in=[customer.pk for customer in gone]).delete()
        assert jobs.rescore_stale() == 2

    def test_it_asks_for_one_more_drain(self, settings):
        settings.DRAIN_BATCH_ROWS = 2
        make_customers(5)
        OrmQ.objects.all().delete()
        jobs.rescore_stale()
        assert [job.func() for job in OrmQ.objects.all()] == ["events.jobs.rescore_stale"]

    def test_unscorable_rows_that_fill_a_batch_hold_up_no_other(self, settings):
        settings.DRAIN_BATCH_ROWS = 1
        with products_may_be_none():
            make_customer(num_of_products=0)
            make_customers(2)
            assert jobs.rescore_stale() == 2
            Customer.objects.all().delete()


@contextmanager
def products_may_be_none():
    """As ``poison`` has it, in a database that is not rolled back."""
    rule = next(rule for rule in Customer._meta.constraints if rule.name == "customer_num_of_products_is_possible")
    with connection.schema_editor() as editor:
        editor.remove_constraint(Customer, rule)
    yield
    with connection.schema_editor() as editor:
        editor.add_constraint(Customer, rule)


def scoring_finds_one_at_a_time(monkeypatch):
    rescore = scorer.rescore_batch
    monkeypatch.setattr(scorer, "rescore_batch", lambda: rescore(limit=1))


def count_tries(monkeypatch):
    explain, tries = scorer.explain, []
    monkeypatch.setattr(scorer, "explain", lambda forest, claim: (tries.append(claim), explain(forest, claim))[1])
    return tries


def fail(customer, retry_at):
    release = ModelRelease.objects.active() or ModelRelease.objects.create(sha256="0" * 64)
    make_failure(customer, release=release, retry_at=retry_at)


@pytest.mark.django_db(transaction=True)
def test_a_drain_passes_over_what_is_being_edited_and_leaves_it_to_the_next(settings):
    locked, _free = make_customers(2)
    with outsider(autocommit=False) as editor:
        editor.execute("UPDATE customers_customer SET surname = 'Open' WHERE customer_id = %s", [locked.pk])
        assert jobs.rescore_stale() == 1
        editor.commit()
    held_rows_are_due()
    assert jobs.rescore_stale() == 1


class TestAudit:
    def test_some_scores_are_recomputed_and_wrong_ones_told_but_not_touched(self, caplog):
        customer = make_scored()
        write_as_scorer(customer, churn_risk_score=0.999)
        assert jobs.audit_sample() == 1
        assert f"Wrong score: customer {customer.pk}," in caplog.text
        customer.refresh_from_db()
        assert customer.churn_risk_score == 0.999

    def test_it_looks_at_a_few_only(self, monkeypatch):
        looked = []
        monkeypatch.setattr(jobs, "AUDIT_CUSTOMERS", 2)
        monkeypatch.setattr(jobs.audit, "audit", lambda ids: looked.append(ids) or jobs.audit.AuditReport())
        make_customers(5)
        jobs.audit_sample()
        assert [len(ids) for ids in looked] == [2]

    def test_without_a_model_it_says_so_and_goes_on(self, assets, caplog):
        (assets / "model.pkl").unlink()
        assert jobs.audit_sample() == 0
        assert "No customer can be scored" in caplog.text


class TestDrift:
    def test_what_has_shifted_is_kept_and_told(self, caplog):
        refer_to(random_rows(100, seed=1))
        make_customers(50, tenure=40)
        assert "years with the bank" in jobs.check_drift()
        assert DriftCheck.objects.get().customers == 50
        assert "(PSI " in caplog.text

    def test_without_a_reference_it_goes_on(self, caplog):
        caplog.set_level("INFO", logger="vigilpay.events")
        assert jobs.check_drift() == ""
        assert not DriftCheck.objects.exists()
        assert "Drift was not checked: No model has been released yet." in caplog.text


class TestFairness:
    def test_a_check_is_kept(self):
        make_customers(3)
        assert scorer.rescore_batch().stored == 3
        assert jobs.check_fairness() == ""
        assert FairnessCheck.objects.get().customers == 3

    def test_without_a_score_it_goes_on(self, caplog):
        caplog.set_level("INFO", logger="vigilpay.events")
        assert jobs.check_fairness() == ""
        assert not FairnessCheck.objects.exists()
        assert "Fairness was not checked: No model has been released yet." in caplog.text
