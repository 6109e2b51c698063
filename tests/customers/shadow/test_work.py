"""A proposed model is scored beside the active one, and nothing of a customer changes by it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django_q.models import OrmQ

from customers import turns
from customers.ml_service import load_forest
from customers.models import Customer, ModelFile, ScoreRecord, ShadowRun, ShadowScore, ShadowWait
from customers.releases import proposals
from customers.scoring import scorer
from customers.shadow import batches, runs, work
from customers.shadow.runs import ShadowError
from events import jobs
from tests.customers.shadow.proposing import activate, drain, propose, start, work_off
from tests.factories import edit, make_customer, make_customers, rescore
from tests.others import outsider, turn_held

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(strict_assets, settings):
    """Twenty customers with scores, in a bank where two persons decide."""
    settings.ONE_PERSON_RELEASES = False
    customers = make_customers(20)
    drain()
    return customers


@pytest.fixture
def proposal(bank, another_forest):
    return propose(another_forest)


def rows():
    return list(Customer.objects.order_by("pk").values())


def pass_is_due():
    ShadowRun.objects.update(swept_at=F("started_at") - batches.PASS_EVERY)


class TestScoring:
    def test_all_customers_have_the_proposed_model_s_score_beside_their_own(self, bank, proposal, another_forest):
        before, records = rows(), ScoreRecord.objects.count()
        run = start(proposal)
        assert work_off() == work.Work(scored=20)
        forest = load_forest(another_forest)
        for shadow in ShadowScore.objects.all():
            customer = Customer.objects.get(pk=shadow.customer_id)
            assert shadow.score == forest.predict_one(customer.features())
            assert (shadow.version, shadow.run_id) == (customer.version, run.pk)
            assert forest.base_value + sum(shadow.contributions) == pytest.approx(shadow.score, abs=1e-6)
        assert ShadowScore.objects.count() == 20
        assert rows() == before
        assert ScoreRecord.objects.count() == records

    def test_a_share_is_always_the_same_customers(self, bank, proposal):
        found = []
        for _ in range(2):
            start(proposal, share=0.5)
            work_off()
            found.append(set(ShadowScore.objects.values_list("pk", flat=True)))
            runs.stop(by="ben", reason="again")
            work_off()
        assert found[0] == found[1]
        assert 0 < len(found[0]) < 20

    def test_an_edit_is_followed_once_it_is_scored(self, bank, proposal, another_forest):
        start(proposal)
        work_off()
        edit(bank[0], age=77)
        work_off()
        assert ShadowScore.objects.get(pk=bank[0].pk).version == 1  # its own score comes first
        rescore(bank[0])
        assert work_off().scored == 1
        bank[0].refresh_from_db()
        shadow = ShadowScore.objects.get(pk=bank[0].pk)
        assert (shadow.version, shadow.score) == (2, load_forest(another_forest).predict_one(bank[0].features()))

    def test_without_a_run_nothing_is_noted(self, bank, proposal):
        edit(bank[0], age=77)
        rescore(bank[0])
        assert not ShadowWait.objects.exists()

    def test_a_later_pass_finds_what_was_not_noted(self, bank, proposal):
        start(proposal)
        work_off()
        edit(bank[0], age=77)
        rescore(bank[0])
        ShadowWait.objects.all().delete()
        assert work_off().scored == 0
        pass_is_due()
        assert work_off().scored == 1

    def test_customers_whom_the_model_refuses_are_counted_once(self, bank, proposal):
        unknown = make_customer(geography="Atlantis")
        run = start(proposal)
        work_off()
        for _ in range(2):  # as edits do, which a drain notes
            ShadowWait.objects.create(customer_ids=[unknown.pk])
            work_off()
        run.refresh_from_db()
        assert run.unscored == 1
        Customer.objects.filter(pk=unknown.pk).update(geography="Spain")
        pass_is_due()
        work_off()
        run.refresh_from_db()
        assert run.unscored == 0

    def test_few_are_scored_as_many_are(self, bank, proposal):
        """One customer by itself is explained by another kernel, whose last digits differ."""
        start(proposal)
        work_off()
        one = ShadowScore.objects.filter(pk=bank[3].pk)
        before = one.values().get()
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO customers_shadowwait (customer_ids) VALUES (%s)", [[bank[3].pk]])
        work_off()
        after = one.values().get()
        assert after.pop("scored_at") > before.pop("scored_at")
        assert after == before


class TestInNobodysWay:
    def test_it_waits_while_customers_wait_for_their_own_scores(self, bank, proposal, monkeypatch):
        monkeypatch.setattr(work, "PATIENCE_SECONDS", 0.05)
        start(proposal)
        edit(bank[0], age=77)
        assert work.work_off() == work.Work(scored=0, more=True)
        drain()
        assert work.work_off().scored == 20

    def test_one_job_at_a_time(self, bank, proposal):
        start(proposal)
        with outsider() as other:
            other.execute(turns.HOLD, [batches.TURN])
            assert work_off() == work.Work()
        assert not ShadowScore.objects.exists()

    def test_what_an_editor_or_an_erasure_holds_is_not_waited_for(self, bank, proposal):
        run = start(proposal)
        forest = work.forest_for(run)
        with turn_held(batches.TURN):
            assert work.unless_lost(lambda: batches.next_step(run, forest), "later") == "later"
        assert batches.next_step(run, forest) == batches.Step()

    def test_starting_queues_the_job(self, bank, proposal, django_capture_on_commit_callbacks):
        OrmQ.objects.all().delete()
        with django_capture_on_commit_callbacks(execute=True):
            start(proposal)
        assert [job.func() for job in OrmQ.objects.all()] == ["events.jobs.score_in_shadow"]

    def test_a_model_that_cannot_be_loaded_ends_it_and_no_score(self, bank, proposal):
        run = start(proposal)
        ModelFile.objects.filter(pk=proposal.fingerprint).update(arrays=b"", source=b"")
        assert work_off().scored == 0
        run.refresh_from_db()
        assert not run.is_on
        assert "could not be used" in run.stop_reason
        edit(bank[0], age=77)
        assert drain() == 1


class TestPersons:
    def test_who_objects_has_no_shadow_score(self, bank, proposal):
        start(proposal)
        work_off()
        Customer.objects.filter(pk=bank[0].pk).set_objection(True)
        assert not ShadowScore.objects.filter(pk=bank[0].pk).exists()
        # As by a step that had read the customer before, and ends after the objection.
        ShadowScore.objects.create(
            customer_id=bank[0].pk, run_id=ShadowRun.objects.get().pk, version=1, score=0, reason_codes=[]
        )
        work_off()
        assert not ShadowScore.objects.filter(pk=bank[0].pk).exists()
        assert ShadowScore.objects.count() == 19

    @pytest.mark.parametrize("pass_rows", [3, 4096])
    def test_who_left_the_table_has_none_after_the_next_pass(self, bank, proposal, monkeypatch, pass_rows):
        monkeypatch.setattr(batches, "PASS_ROWS", pass_rows)
        start(proposal)
        work_off()
        ids = sorted(it.pk for it in bank)
        Customer.objects.filter(pk__in=[ids[0], ids[7], ids[-1]]).delete()
        pass_is_due()
        work_off()
        assert sorted(ShadowScore.objects.values_list("pk", flat=True)) == [*ids[1:7], *ids[8:-1]]

    def test_nor_is_one_of_a_former_life_kept(self, bank, proposal):
        start(proposal)
        work_off()
        ShadowScore.objects.filter(pk=bank[0].pk).update(arrived_at=bank[0].arrived_at - timedelta(days=1))
        Customer.objects.filter(pk=bank[0].pk).update(geography="Atlantis")
        pass_is_due()
        work_off()
        assert not ShadowScore.objects.filter(pk=bank[0].pk).exists()

    def test_who_came_back_is_scored_anew(self, bank, proposal):
        start(proposal)
        work_off()
        values = {name: getattr(bank[0], name) for name in ("surname", *bank[0].features())}
        Customer.objects.filter(pk=bank[0].pk).delete()
        back = Customer.objects.create(pk=bank[0].pk, **{**values, "age": 80})
        drain()
        work_off()
        back.refresh_from_db()
        shadow = ShadowScore.objects.get(pk=back.pk)
        assert (shadow.version, shadow.arrived_at) == (1, back.arrived_at)


class TestEnds:
    def test_stopping_deletes_its_scores(self, bank, proposal):
        run = start(proposal)
        work_off()
        runs.stop(by="ben", reason="seen enough")
        work_off()
        run.refresh_from_db()
        assert (run.is_on, run.stopped_by, run.stop_reason) == (False, "ben", "seen enough")
        assert run.cleared_at is not None
        assert not ShadowScore.objects.exists()
        assert not ShadowWait.objects.exists()

    def test_a_refusal_ends_it(self, bank, proposal):
        run = start(proposal)
        proposals.refuse(proposal, by="anna", fingerprint=proposal.fingerprint, reason="withdrawn")
        run.refresh_from_db()
        assert (run.is_on, run.stop_reason) == (False, "The proposal was refused.")
        work_off()
        assert not ShadowScore.objects.exists()

    def test_activation_ends_it_and_its_scores_stay_until_they_are_taken_over(self, bank, proposal):
        run = start(proposal)
        work_off()
        activate(proposal)
        run.refresh_from_db()
        assert not run.is_on
        assert run.stop_reason.startswith("Its model became active as release")
        work.work_off()
        assert ShadowScore.objects.count() == 20
        assert drain() == 20
        work_off()
        assert not ShadowScore.objects.exists()

    def test_a_second_proposal_waits_for_the_end_of_the_first(self, bank, proposal, third_forest):
        start(proposal)
        work_off()
        second = propose(third_forest)
        with pytest.raises(ShadowError, match=rf"Proposal {proposal.pk} is being scored in shadow"):
            start(second)
        runs.stop(by="ben", reason="the other one")
        run = start(second)
        work_off()
        assert set(ShadowScore.objects.values_list("run_id", flat=True)) == {run.pk}
        assert ShadowScore.objects.count() == 20

    def test_a_release_in_between_changes_what_it_is_compared_with(self, bank, proposal, third_forest):
        run = start(proposal)
        work_off()
        activate(propose(third_forest))
        drain()
        work_off()
        assert ShadowRun.objects.get() == run
        assert run.is_on
        assert ShadowScore.objects.count() == 20

    @pytest.mark.parametrize("state", ["refused", "approved"])
    def test_only_an_open_proposal_is_scored(self, bank, proposal, state):
        decide = proposals.refuse if state == "refused" else proposals.approve
        decide(proposal, by="ben", fingerprint=proposal.fingerprint, reason="so")
        with pytest.raises(ShadowError, match="is not open"):
            start(proposal)


def test_the_job_without_a_run_does_nothing(bank):
    assert jobs.score_in_shadow() == 0
    assert scorer.rescore_batch().stored == 0


@pytest.mark.parametrize(("done", "queued"), [((5, True), 1), ((5, False), 0), ((0, True), 0)])
def test_a_job_that_got_on_queues_the_next(bank, proposal, monkeypatch, done, queued):
    """One that only met live work leaves it to the schedule."""
    start(proposal)
    monkeypatch.setattr(work, "work_off", lambda: work.Work(*done))
    OrmQ.objects.all().delete()
    jobs.score_in_shadow()
    assert OrmQ.objects.count() == queued
