"""A model is put into service by hand: verified, tried out on stored customers, then activated or proposed.

Each function says what happens while it happens, line by line. They raise ``ModelError`` or ``OSError``.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from customers.ml_service import Forest, ModelError
from customers.ml_service.files.packaging import Package, verify
from customers.ml_service.files.pickles import read_expected, sha256_of
from customers.ml_service.messages import format_words
from customers.models import ModelRelease
from customers.presentation.durations import format_time
from customers.releases import proposals
from customers.releases.active import forest_of, put_into_service, put_into_service_again, remembered
from customers.releases.dry_run import ScoreShift, Waiting, count_waiting, rehearse, table
from customers.releases.rollback import target_of


@dataclass(frozen=True)
class Terms:
    """Why a model is to be accepted, and by what trial: ``max_mean_shift`` is how far the mean score may move.

    ``by`` is the user who wants it.
    """

    note: str
    sample: int
    max_mean_shift: float | None
    dry_run: bool
    by: str = ""

    def refuse_nameless(self) -> None:
        """Before a file is verified and tried out, which takes longer than the answer may be waited for."""
        if not (self.by or self.dry_run or settings.ONE_PERSON_RELEASES):
            raise ModelError(
                "Name the person who wants this, by user name: --by USERNAME. Another person approves it in the admin"
            )


def accept(path: Path, terms: Terms, *, sha256: str, trusted: str, may_be_opened: Callable[[], bool]) -> Iterator[str]:
    """Accept this file, if it has the checksum that is expected, and ``may_be_opened`` lets it be unpickled.

    By then its path and checksum were yielded. What is unpickled are the bytes of that checksum, or nothing. It is put
    into service where one person may do so, and in a database without any release; else it is proposed.
    """
    terms.refuse_nameless()
    checksum = sha256_of(data := read_expected(path, sha256))
    yield from describe_unopened(path, checksum, len(data))
    if not may_be_opened():
        raise ModelError(f"{path} was not opened, and nothing was changed.")
    package = verify(path, note=terms.note, remembered=remembered(checksum), expected_sha256=checksum, trusted=trusted)
    shift, waiting = yield from try_out(package.findings(), package.forest, terms)
    if terms.dry_run:
        return
    note = terms.note or f"released from {path.name}"
    active = ModelRelease.objects.active()
    if proposals.are_needed() and active is not None and active.fingerprint != package.forest.fingerprint:
        yield from propose(package, shift, waiting, note, terms.by)
    else:
        approval = ModelRelease.Approval.ONE_PERSON if active else ModelRelease.Approval.FIRST
        released = put_into_service(note, package, approval=approval, by=terms.by or None)
        yield describe_active(active, released)


def describe_unopened(path: Path, checksum: str, size: int) -> Iterator[str]:
    """What is known of a file before it is unpickled."""
    release = ModelRelease.objects.filter(sha256=checksum).first()
    yield f"The model file {path.resolve()}"
    yield f"  sha256 {checksum}"
    yield f"  {size:,} bytes; {f'served here as {release}' if release else 'never released in this database'}"


def propose(package: Package, shift: ScoreShift | None, waiting: Waiting, note: str, by: str) -> Iterator[str]:
    proposal = proposals.propose(package, shift, waiting, note=note, by=by)
    yield (
        f"Proposed as {proposal} by {by}. It is not active: another person approves or refuses it in the admin, under "
        '"Model proposals".'
    )


def go_back(release_id: int | None, terms: Terms) -> Iterator[str]:
    """Put the model of this release, or else the one before the active one, into service again."""
    terms.refuse_nameless()
    target = target_of(release_id)
    yield f"Going back to {target} of {format_time(target.released_at)}: {target.note}"
    forest = forest_of(target)
    yield from try_out([f"checksum: sha256 {forest.sha256}; as it was released"], forest, terms)
    if terms.dry_run:
        return
    before = ModelRelease.objects.active()
    released = put_into_service_again(target, forest, terms.note or f"back to release {target.pk}", by=terms.by or None)
    yield describe_active(before, released)
    if proposals.are_needed() and released != before:
        proposals.ask_to_countersign(released, terms.by)
        yield 'Another person countersigns it in the admin, under "Model proposals". It is active meanwhile.'


def try_out(
    findings: list[str], forest: Forest, terms: Terms
) -> Generator[str, None, tuple[ScoreShift | None, Waiting]]:
    """What was verified, how scores would move, and who would have none: the latter two are returned, too.

    Raises ``ModelError`` if they would move too far, or customers lose theirs where that is limited.
    """
    yield "Verified:"
    yield from (f"  {finding}" for finding in findings)
    shift = rehearse(forest, terms.sample)
    yield from table(shift) if shift else ["No stored customer has a score to compare with."]
    waiting = count_waiting(forest)
    if waiting.customers:
        yield str(waiting)
    if waiting.lost and terms.max_mean_shift is not None:
        raise ModelError(
            f"Refused: the model does not know the {format_words(waiting.lost)}, which the active model knows and "
            "customers have; --max-mean-shift cannot tell how far their scores move. Nothing was changed."
        )
    if shift is not None and terms.max_mean_shift is not None and abs(shift.of_mean) > terms.max_mean_shift:
        raise ModelError(
            f"Refused: the mean score would change by {shift.of_mean:+.4f}, more than {terms.max_mean_shift} "
            "(--max-mean-shift). Nothing was changed."
        )
    if terms.dry_run:
        yield "Dry run: nothing was changed."
    return shift, waiting


def describe_active(before: ModelRelease | None, active: ModelRelease) -> str:
    what_follows = "It was already active; no score changes." if active == before else "All customers are rescored."
    return f"Active model: {active}. {what_follows}"
