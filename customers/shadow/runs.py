"""Starting and stopping: which proposed model is scored beside the active one, on whose word, and why."""

from django.db import IntegrityError, transaction

from customers.models import ModelProposal, ModelRelease, ShadowRun, shadow_is_started
from customers.presentation.numbers import format_percent
from customers.releases import storage
from customers.scoring.writing import wording


class ShadowError(Exception):
    """It can't be started, or stopped. The message is for staff, and nothing was changed."""


def start(proposal: ModelProposal, *, share: float, by: str, reason: str) -> ShadowRun:
    """Score this proposed model beside the active one, on a share of the customers: more than 0, at most 1.

    A worker does it. Raises ``ShadowError``.
    """
    if why := why_not(proposal, share=share, reason=reason):
        raise ShadowError(why)
    try:
        with transaction.atomic():
            run = ShadowRun.objects.create(
                proposal=proposal,
                fingerprint=proposal.fingerprint,
                share=share,
                started_by=by[:150],
                start_reason=reason[:500],
                wording=wording(),
            )
            shadow_is_started.send(ShadowRun)
            return run
    except IntegrityError:
        raise ShadowError(already_on()) from None


def why_not(proposal: ModelProposal, *, share: float, reason: str) -> str:
    """Why it can't be started; empty if it can."""
    active = ModelRelease.objects.active()
    if not reason.strip():
        return "Enter the reason for shadow scoring."
    if not 0 < share <= 1:
        return "The share of customers must be more than 0 % and at most 100 %."
    if proposal.kind != ModelProposal.Kind.RELEASE or proposal.state != ModelProposal.State.OPEN:
        return f"Proposal {proposal.pk} is not open. Only an open proposal can be scored in shadow."
    if active is None or active.fingerprint == proposal.fingerprint:
        return "This model is the active one already."
    if not storage.is_stored(proposal.fingerprint):
        return "This model is not in the database. Propose its file again."
    return already_on() if ShadowRun.objects.current() else ""


def already_on() -> str:
    run = ShadowRun.objects.current()
    which = f"Proposal {run.proposal_id}" if run else "Another proposal"
    return f"{which} is being scored in shadow. Stop it first."


def stop(*, by: str, reason: str) -> ShadowRun:
    """End the run that is on; its scores are deleted in small steps. Raises ``ShadowError``."""
    if not reason.strip():
        raise ShadowError("Enter the reason to stop shadow scoring.")
    run = ShadowRun.objects.current()
    if run is None or not ShadowRun.objects.stop(by=by, reason=reason, pk=run.pk):
        raise ShadowError("No model is being scored in shadow.")
    run.refresh_from_db()
    return run


def describe(run: ShadowRun) -> str:
    """What it is, in a few words: ``Proposal 3 on 10.0 % of all customers``."""
    return f"Proposal {run.proposal_id} on {format_percent(run.share)} of all customers"
