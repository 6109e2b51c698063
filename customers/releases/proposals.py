"""One person proposes a model, another one approves it, a worker puts it into service.

Pages only write down who decided: which model that is, and that two persons were asked, the database holds to
(``ModelProposal``, ``ModelRelease``). docs/decisions/0048-two-persons-release-a-model.md
"""

import logging
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from customers.ml_service import ModelError
from customers.ml_service.files.packaging import Package
from customers.models import ModelProposal, ModelRelease, ShadowRun, model_is_approved
from customers.releases import storage
from customers.releases.active import activate, summary, take_turns
from customers.releases.dry_run import ScoreShift, Waiting

log = logging.getLogger("vigilpay.model")

Kind, State = ModelProposal.Kind, ModelProposal.State


class ProposalError(ModelError):
    """This proposal can't be decided by this person, or not any more."""


def are_needed() -> bool:
    """Whether a second person has to approve a model, by the settings."""
    return not settings.ONE_PERSON_RELEASES


def propose(package: Package, shift: ScoreShift | None, waiting: Waiting, *, note: str, by: str) -> ModelProposal:
    """Store the model, and the proposal with all that the second person should know. Raises ``ProposalError``."""
    forest = package.forest
    model = storage.packed(forest, package.source)
    try:
        with transaction.atomic():
            storage.keep(model)
            return ModelProposal.objects.create(
                sha256=forest.sha256,
                fingerprint=forest.fingerprint,
                arrays_sha256=forest.flat.contents,
                metadata=summary(forest),
                note=note,
                findings=package.findings(),
                shift=figures(shift, waiting),
                proposed_by=by,
            )
    except IntegrityError:
        known = ModelProposal.objects.filter(fingerprint=forest.fingerprint, state=State.OPEN).first()
        raise ProposalError(f"This model waits for an approval already, as {known}. Nothing was changed") from None


def figures(shift: ScoreShift | None, waiting: Waiting) -> dict[str, Any] | None:
    """The shift without the customers who move most: a proposal names no customer.

    Under ``unknown``, where there are any, how many customers would wait; older proposals lack it.
    """
    unknown = {"unknown": dict(waiting.customers)} if waiting.customers else {}
    if shift is None:
        return unknown or None
    moves = {name: value for name, value in asdict(shift).items() if name != "movers"}
    return moves | {"of_mean": shift.of_mean} | unknown


def ask_to_countersign(release: ModelRelease, by: str) -> ModelProposal:
    """Let another person confirm a rollback, which is active already."""
    return ModelProposal.objects.create(
        kind=Kind.ROLLBACK,
        sha256=release.sha256,
        fingerprint=release.fingerprint,
        arrays_sha256=release.arrays_sha256,
        metadata=release.metadata,
        note=release.note,
        proposed_by=by,
        release=release,
    )


def why_not(proposal: ModelProposal, by: str) -> str:
    """Why this person can't approve it; empty if they can."""
    if proposal.state != State.OPEN:
        return f"{proposal.get_state_display()} by {proposal.decided_by} already."
    if proposal.proposed_by.lower() == by.lower():
        return "You have proposed it: another person has to approve it."
    return ""


def approve(proposal: ModelProposal, *, by: str, fingerprint: str, reason: str = "") -> None:
    """Note that this person approves the model of this fingerprint, which they were shown.

    A worker activates it. Raises ``ProposalError``.
    """
    if reason_against := why_not(proposal, by):
        raise ProposalError(reason_against)
    decide(proposal, State.APPROVED, by=by, fingerprint=fingerprint, reason=reason)
    if proposal.kind == Kind.RELEASE:
        model_is_approved.send(ModelProposal)


def refuse(proposal: ModelProposal, *, by: str, fingerprint: str, reason: str) -> None:
    """Note that this person refuses it, and why. The proposer may withdraw it so, too. Raises ``ProposalError``."""
    if not reason:
        raise ProposalError("Give the reason why you refuse it.")
    decide(proposal, State.REFUSED, by=by, fingerprint=fingerprint, reason=reason)


@transaction.atomic
def decide(proposal: ModelProposal, state: str, *, by: str, fingerprint: str, reason: str) -> None:
    """Write it down, once. A refused model is scored in shadow no longer."""
    waiting = ModelProposal.objects.filter(pk=proposal.pk, state=State.OPEN, fingerprint=fingerprint)
    if not waiting.update(state=state, decided_by=by, decided_at=Now(), reason=reason):
        raise ProposalError("It was decided meanwhile, or is another model than the one you were shown.")
    if state == State.REFUSED:
        ShadowRun.objects.stop(by=by, reason="The proposal was refused.", proposal=proposal)
    proposal.refresh_from_db()


def activate_approved() -> int:
    """Put the models into service that were approved, in that order; how many. Run by a worker."""
    waiting = ModelProposal.objects.filter(kind=Kind.RELEASE, state=State.APPROVED, release=None)
    return sum(activate_one(proposal) for proposal in waiting.order_by("decided_at", "id"))


def activate_one(proposal: ModelProposal) -> bool:
    """Load what was approved, against its checksums, then make it active. One that can't be loaded stays approved."""
    try:
        forest = storage.verified(proposal)
    except ModelError as error:
        log.error("%s is approved and can't be put into service: %s", proposal, error)
        return False
    with transaction.atomic():
        take_turns()
        mine = ModelProposal.objects.filter(pk=proposal.pk, release=None)
        if not mine.exists():
            return False  # another worker has done it
        release = activate(
            forest,
            note=proposal.note,
            approval=ModelRelease.Approval.TWO_PERSONS,
            proposed_by=proposal.proposed_by,
            approved_by=proposal.decided_by,
        )
        mine.update(release=release)
    return True
