"""One person proposes a model, another one approves it: the database holds to it, whoever writes."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django_q.models import OrmQ

from customers.ml_service import load_forest
from customers.models import Customer, ModelFile, ModelProposal, ModelRelease
from customers.releases import proposals, storage
from customers.releases.active import active_model
from customers.releases.proposals import ProposalError
from customers.scoring import scorer
from events import jobs
from tests.factories import make_scored

pytestmark = pytest.mark.django_db

Approval = ModelRelease.Approval


@pytest.fixture
def bank(strict_assets, settings):
    """A bank in which two persons decide; its first model has scored a customer."""
    settings.ONE_PERSON_RELEASES = False
    return make_scored()


def run(*arguments, **options):
    out = StringIO()
    call_command("release_model", *map(str, arguments), yes=True, stdout=out, **options)
    return out.getvalue()


def propose(path, by="anna"):
    run(path, by=by)
    return ModelProposal.objects.latest("id")


def approve(proposal, by="ben"):
    proposals.approve(proposal, by=by, fingerprint=proposal.fingerprint)


class TestProposing:
    def test_changes_no_score_and_keeps_all_that_the_second_person_should_know(self, bank, another_forest):
        said = run(another_forest, by="anna", note="spring")
        assert "It is not active: another person approves" in said
        assert ModelRelease.objects.count() == 1
        assert not Customer.objects.stale().exists()
        proposal = ModelProposal.objects.get()
        assert (proposal.proposed_by, proposal.note, proposal.state) == ("anna", "spring", "open")
        assert any("label codes" in finding for finding in proposal.findings)
        assert proposal.shift["customers"] == 1
        assert "movers" not in proposal.shift  # customers who are erased are named nowhere here
        assert storage.is_stored(proposal.fingerprint)
        assert f"proposal {proposal.pk} ({proposal.sha256[:12]}) (release) by anna waits" in run(status=True)

    def test_needs_a_name_before_anything_is_opened(self, bank, another_forest):
        with pytest.raises(CommandError, match="--by USERNAME"):
            run(another_forest)
        with pytest.raises(CommandError, match="--by USERNAME"):
            run(rollback=True)
        run(another_forest, dry_run=True)
        assert not ModelProposal.objects.exists()

    def test_twice_is_refused(self, bank, another_forest):
        propose(another_forest)
        with pytest.raises(CommandError, match=r"waits for an approval already, as proposal \d+"):
            propose(another_forest)

    def test_the_active_model_again_needs_none(self, bank, strict_assets):
        ModelFile.objects.all().delete()
        assert "no score changes" in run(strict_assets / "model.pkl", by="anna")
        assert ModelFile.objects.exists()
        assert not ModelProposal.objects.exists()

    def test_the_first_model_of_a_database_needs_none(self, strict_assets, settings, another_forest):
        settings.ONE_PERSON_RELEASES = False
        run(another_forest, by="anna")
        assert ModelRelease.objects.get().approval == Approval.FIRST

    def test_a_file_dropped_into_the_folder_does_nothing(self, bank, strict_assets, another_forest):
        (strict_assets / "model.pkl").write_bytes(another_forest.read_bytes())
        jobs.sweep_stale()
        assert ModelRelease.objects.count() == 1
        assert active_model()[0].sha256 != load_forest(another_forest).sha256


class TestApproval:
    def test_by_another_person_and_a_worker_s_turn_put_it_into_service(self, bank, another_forest):
        proposal = propose(another_forest)
        approve(proposal)
        assert ModelRelease.objects.count() == 1  # pages have no right to do more
        assert jobs.activate_approved() == 1
        forest, release = active_model()
        assert forest.sha256 == load_forest(another_forest).sha256
        release.refresh_from_db()
        assert (release.approval, release.proposed_by, release.approved_by) == (Approval.TWO_PERSONS, "anna", "ben")
        proposal.refresh_from_db()
        assert proposal.release == release
        scorer.rescore_batch()
        bank.refresh_from_db()
        assert bank.churn_risk_score == forest.predict_one(bank.features())

    def test_is_left_to_a_worker_by_a_job_and_should_that_get_lost_by_the_sweep(
        self, bank, another_forest, django_capture_on_commit_callbacks
    ):
        proposal = propose(another_forest)
        OrmQ.objects.all().delete()
        with django_capture_on_commit_callbacks(execute=True):
            approve(proposal)
        assert [job.func() for job in OrmQ.objects.all()] == ["events.jobs.activate_approved"]
        jobs.sweep_stale()
        assert ModelRelease.objects.count() == 2
        assert jobs.activate_approved() == 0  # the job comes late

    @pytest.mark.parametrize("by", ["anna", "ANNA"])
    def test_is_none_by_the_proposer(self, bank, another_forest, by):
        proposal = propose(another_forest)
        with pytest.raises(ProposalError, match="another person"):
            approve(proposal, by=by)
        assert jobs.activate_approved() == 0

    def test_binds_the_model_that_was_shown(self, bank, another_forest):
        proposal = propose(another_forest)
        with pytest.raises(ProposalError, match="another model"):
            proposals.approve(proposal, by="ben", fingerprint="f" * 64)
        assert ModelProposal.objects.get().state == "open"

    def test_of_what_was_exchanged_in_the_table_activates_nothing(self, bank, another_forest, third_forest, caplog):
        proposal = propose(another_forest)
        foreign = storage.packed(load_forest(third_forest), third_forest.read_bytes())
        ModelFile.objects.filter(pk=proposal.fingerprint).update(source=foreign.source, arrays=foreign.arrays)
        approve(proposal)
        assert jobs.activate_approved() == 0
        assert ModelRelease.objects.count() == 1
        assert "is approved and can't be put into service" in caplog.text

    def test_or_refusal_is_final(self, bank, another_forest):
        proposal = propose(another_forest)
        with pytest.raises(ProposalError, match="reason"):
            proposals.refuse(proposal, by="ben", fingerprint=proposal.fingerprint, reason="")
        proposals.refuse(proposal, by="ben", fingerprint=proposal.fingerprint, reason="moves too far")
        with pytest.raises(ProposalError, match="Refused by ben already"):
            approve(proposal)
        assert jobs.activate_approved() == 0
        assert propose(another_forest).pk > proposal.pk  # after a refusal it may be proposed again

    def test_the_proposer_may_withdraw_it(self, bank, another_forest):
        proposal = propose(another_forest)
        proposals.refuse(proposal, by="anna", fingerprint=proposal.fingerprint, reason="the wrong file")
        assert ModelProposal.objects.get().state == "refused"


class TestRollback:
    @pytest.fixture
    def rolled_back(self, bank, another_forest):
        first = active_model()[1]
        approve(propose(another_forest))
        jobs.activate_approved()
        said = run(rollback=True, by="anna")
        assert "countersigns" in said
        assert active_model()[1].fingerprint == first.fingerprint
        return ModelProposal.objects.latest("id")

    def test_one_person_is_enough_and_named(self, rolled_back):
        release = ModelRelease.objects.latest("id")
        assert (release.approval, release.proposed_by, release.approved_by) == (Approval.ROLLBACK, "anna", None)
        assert (rolled_back.kind, rolled_back.release, rolled_back.state) == ("rollback", release, "open")

    def test_another_countersigns_later_and_nothing_is_activated_by_that(self, rolled_back):
        with pytest.raises(ProposalError):
            approve(rolled_back, by="anna")
        approve(rolled_back, by="ben")
        assert jobs.activate_approved() == 0
        assert ModelProposal.objects.get(pk=rolled_back.pk).decided_by == "ben"

    def test_to_the_active_model_asks_for_no_signature(self, rolled_back):
        before = ModelProposal.objects.count()
        run(rollback=True, to=ModelRelease.objects.latest("id").pk, by="anna")
        assert ModelProposal.objects.count() == before


class TestDatabase:
    """What no role may write, and no later version of this code."""

    @pytest.mark.parametrize(
        ("proposed_by", "approved_by"),
        [("anna", None), (None, "ben"), (None, None), ("anna", "anna"), ("Anna", "anna")],
    )
    def test_a_release_by_two_persons_names_two(self, proposed_by, approved_by):
        with pytest.raises(IntegrityError, match="names_both"), transaction.atomic():
            ModelRelease.objects.create(approval=Approval.TWO_PERSONS, proposed_by=proposed_by, approved_by=approved_by)

    def test_releases_of_before_stay_valid(self):
        ModelRelease.objects.create(sha256="a" * 64, fingerprint="b" * 64)

    def test_a_rollback_names_who_made_it(self):
        with pytest.raises(IntegrityError, match="rollback_names"), transaction.atomic():
            ModelRelease.objects.create(approval=Approval.ROLLBACK)

    @pytest.mark.parametrize("values", [{"decided_by": None}, {"decided_by": "anna"}, {"decided_by": "ANNA"}])
    def test_a_proposal_is_approved_by_another(self, bank, another_forest, values):
        proposal = propose(another_forest)
        with pytest.raises(IntegrityError), transaction.atomic():
            ModelProposal.objects.filter(pk=proposal.pk).update(
                state="approved", decided_at=proposal.proposed_at, **values
            )


def test_in_one_person_mode_a_file_is_active_at_once_and_the_name_is_kept(strict_assets, another_forest):
    active_model()
    run(another_forest, by="anna")
    release = ModelRelease.objects.latest("id")
    assert (release.approval, release.proposed_by) == (Approval.ONE_PERSON, "anna")
