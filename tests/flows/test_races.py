"""Editors, drains and analyses at the same time: no session waits long, nothing deadlocks, no score is wrong."""

import random
import threading
from collections import Counter

import pytest
from django.db import transaction

from customers.ml_service import current_forest
from customers.ml_service.schema import FEATURES
from customers.models import Customer, ModelRelease, ScoreRecord
from customers.scoring import marks, scorer
from customers.scoring.claims import CustomerBusyError
from events import jobs
from events.queue import lease
from tests.factories import held_rows_are_due, make_customer, make_customers, make_scored, marked, random_fields
from tests.others import await_that, going_on, meanwhile, outsider, together, waiting_for_locks

pytestmark = pytest.mark.django_db(transaction=True)


def every_current_score_is_right():
    forest = current_forest()
    for customer in Customer.objects.filter(stale_since__isnull=True):
        fields = {field: getattr(customer, field) for field in FEATURES}
        assert customer.churn_risk_score == pytest.approx(forest.predict_one(fields), abs=1e-9)


def drain_until(is_over):
    while not is_over.is_set():
        scorer.rescore_batch(limit=7)


def drain():
    """Until nothing can be claimed; the number of rows claimed."""
    claimed = 0
    while batch := scorer.rescore_batch(limit=5).claimed:
        claimed += batch
    return claimed


def edit_rows_together(ids, seed, times=60):
    """Transactions of several rows, in the opposite order to a drain's."""
    pick = random.Random(seed)
    for _ in range(times):
        with transaction.atomic():
            for customer_id in sorted(pick.sample(ids, 4), reverse=True):
                Customer.objects.filter(pk=customer_id).update(**random_fields(pick))


def analyze_at_random(ids, seed, times=60):
    pick = random.Random(seed)
    for _ in range(times):
        assert 0 <= scorer.analyze(pick.choice(ids)) <= 1


def no_older_version_landed_after_a_newer_one():
    versions = Counter()
    for record in ScoreRecord.objects.order_by("id"):
        assert record.version >= versions[record.customer_id]
        versions[record.customer_id] = record.version


def test_drains_editors_and_analyses_all_at_once(settings):
    settings.ANALYZE_LOCK_SECONDS = 20
    ids = [customer.pk for customer in make_customers(40)]
    with going_on(drain_until), going_on(drain_until):
        together(
            lambda: edit_rows_together(ids, seed=1),
            lambda: edit_rows_together(ids, seed=2),
            lambda: analyze_at_random(ids, seed=3),
        )
    drain()
    assert not Customer.objects.stale().exists()
    every_current_score_is_right()
    no_older_version_landed_after_a_newer_one()


def test_drains_at_work_together_score_every_row_once():
    make_customers(60)
    assert sum(together(*[drain] * 4)) == 60
    assert ScoreRecord.objects.count() == 60
    assert not Customer.objects.stale().exists()


def test_an_editor_who_holds_one_row_and_wants_one_that_a_drain_holds_waits_for_the_batch_only(monkeypatch):
    """The classic deadlock: editor and drain each hold what the other wants. The drain never wants a held row."""
    in_drain, in_editor = make_customers(2)
    explain = scorer.explain

    with outsider(autocommit=False) as editor:
        change(editor, in_editor)
        second_change = threading.Thread(target=change, args=(editor, in_drain))

        def explain_while_the_editor_waits(forest, claim):
            assert claim.ids == [in_drain.pk]
            second_change.start()
            await_that(waiting_for_locks, "the editor waits for the drain's row")
            return explain(forest, claim)

        monkeypatch.setattr(scorer, "explain", explain_while_the_editor_waits)
        assert scorer.rescore_batch() == scorer.Batch(claimed=1, stored=1, passed_over=1)
        second_change.join(timeout=30)
        assert not second_change.is_alive()
        editor.commit()
    monkeypatch.undo()
    assert scorer.rescore_batch().stored == 2
    every_current_score_is_right()


def test_open_edits_of_other_customers_never_wait_for_each_other_nor_for_a_drain_that_took_their_marks():
    """A table with a key, written by a trigger, would make them."""
    ids = [customer.pk for customer in make_customers(60)]
    with outsider(autocommit=False) as first, outsider(autocommit=False) as second, transaction.atomic():
        assert scorer.rescore_batch(limit=20).stored == 20
        for editor, theirs in ((first, ids[20::2]), (second, ids[21::2])):
            editor.execute("SET LOCAL statement_timeout TO '10s'")
            for customer_id in theirs:
                editor.execute("UPDATE customers_customer SET age = 70 WHERE customer_id = %s", [customer_id])
        second.commit()
        first.commit()
    drain()
    assert not Customer.objects.stale().exists()
    every_current_score_is_right()


def test_a_score_that_comes_after_another_model_is_dropped_and_its_customer_found_again(monkeypatch):
    customer = make_customer()
    explain = scorer.explain

    def explain_while_another_model_comes(forest, claim):
        monkeypatch.undo()
        together(lambda: ModelRelease.objects.create(sha256="0" * 64))
        return explain(forest, claim)

    monkeypatch.setattr(scorer, "explain", explain_while_another_model_comes)
    batch = scorer.rescore_batch()
    assert (batch.claimed, batch.stored, batch.rejected) == (1, 0, 1)
    assert (marks.LARGE, [customer.pk]) in marked()
    assert drain() == 1
    every_current_score_is_right()


def test_an_edit_that_waits_for_a_score_to_be_written_makes_it_stale_again(monkeypatch):
    customer = make_customer()
    explain = scorer.explain

    def edit():
        Customer.objects.filter(pk=customer.pk).update(age=81)

    editing = threading.Thread(target=lambda: together(edit))

    def explain_while_an_editor_edits(forest, claim):
        editing.start()
        await_that(waiting_for_locks, "the edit waits for the row")
        return explain(forest, claim)

    monkeypatch.setattr(scorer, "explain", explain_while_an_editor_edits)
    assert scorer.rescore_batch().stored == 1
    editing.join(timeout=30)
    assert list(Customer.objects.stale()) == [customer]
    assert Customer.objects.get().version == 2


def test_a_customer_deleted_while_being_scored_is_gone_and_nothing_fails(monkeypatch):
    customer = make_customer()
    explain = scorer.explain
    deleting = threading.Thread(target=lambda: together(Customer.objects.all().delete))

    def explain_while_an_editor_deletes(forest, claim):
        deleting.start()
        await_that(waiting_for_locks, "the deletion waits for the row")
        return explain(forest, claim)

    monkeypatch.setattr(scorer, "explain", explain_while_an_editor_deletes)
    assert scorer.rescore_batch().stored == 1
    deleting.join(timeout=30)
    assert not Customer.objects.exists()
    assert ScoreRecord.objects.get().customer_id == customer.pk


def test_analyze_waits_for_a_short_edit_and_answers_for_what_it_left():
    customer = make_scored(age=30)
    with outsider(autocommit=False) as editor:
        change(editor, customer, age=77)

        def commit_when_analyze_waits():
            await_that(waiting_for_locks, "analyze waits for the row")
            editor.commit()

        with meanwhile(commit_when_analyze_waits):
            score = scorer.analyze(customer.pk)
    customer.refresh_from_db()
    assert customer.age == 77
    assert customer.churn_risk_score == score
    every_current_score_is_right()


def test_analyses_of_one_customer_at_once_take_turns(settings):
    settings.ANALYZE_LOCK_SECONDS = 20
    customer = make_customer()
    scores = together(*[lambda: scorer.analyze(customer.pk)] * 6)
    assert len(set(scores)) == 1
    assert ScoreRecord.objects.count() == 6


def test_several_editors_who_want_the_same_row_as_analyze_get_their_turn(settings):
    settings.ANALYZE_LOCK_SECONDS = 0.02
    customer = make_customer()

    def edit():
        for age in range(20, 60):
            Customer.objects.filter(pk=customer.pk).update(age=age)

    def analyze():
        for _ in range(40):
            try:
                scorer.analyze(customer.pk)
            except CustomerBusyError:
                continue

    together(edit, analyze, analyze)
    scorer.rescore_batch()
    assert Customer.objects.get().age == 59
    every_current_score_is_right()


def test_an_edit_that_commits_after_the_drain_has_gone_is_found_by_the_next_poll(monkeypatch):
    """It saw the lease held and sent no notification, and committed when the lease was over."""
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.05)
    customer = make_scored()
    lease.extend(0.2)
    with outsider(autocommit=False) as editor:
        change(editor, customer, age=66)
        assert jobs.rescore_stale() == 0
        await_that(lambda: not lease.is_held(), "the lease is over")
        editor.commit()
    assert list(Customer.objects.stale()) == [customer]
    assert jobs.sweep_stale()
    assert jobs.rescore_stale() == 1


def test_a_worker_that_is_killed_in_the_middle_leaves_its_rows_free_and_stale():
    make_customers(3)
    with outsider(autocommit=False) as killed:
        killed.execute("SELECT FROM customers_customer WHERE stale_since IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED")
        assert scorer.rescore_batch().claimed == 0
        with outsider() as administrator:
            administrator.execute("SELECT pg_terminate_backend(%s, 10000)", [killed.info.backend_pid])
    held_rows_are_due()
    assert scorer.rescore_batch().stored == 3


def change(editor, customer, age=70):
    editor.execute("UPDATE customers_customer SET age = %s WHERE customer_id = %s", [age, customer.pk])
