"""A model is put into service by hand: verified, tried out on stored customers, activated, and the one before kept.

Each function says what happens while it happens, line by line. They raise ``ModelError`` or ``OSError``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from customers.ml_service import ModelError
from customers.ml_service.files import former, model_folder
from customers.ml_service.files.packaging import Package, verify
from customers.ml_service.files.pickles import read_expected, sha256_of
from customers.models import ModelRelease
from customers.releases.active import put_into_service, remembered
from customers.releases.dry_run import rehearse, table
from customers.releases.rollback import on_the_way, target_of, verified


@dataclass(frozen=True)
class Terms:
    """Why a model is to be accepted, and by what trial: ``max_mean_shift`` is how far the mean score may move."""

    note: str
    sample: int
    max_mean_shift: float | None
    dry_run: bool

    def refuse_unwritable(self) -> None:
        """Before a file is verified and tried out, which takes longer than the answer may be waited for."""
        if not self.dry_run:
            model_folder.refuse_unwritable(settings.ML_ASSETS_DIR)


def accept(path: Path, terms: Terms, *, sha256: str, trusted: str, may_be_opened: Callable[[], bool]) -> Iterator[str]:
    """Put this file into service, if it has the checksum that is expected, and ``may_be_opened`` lets it be unpickled.

    By then its path and checksum were yielded. What is unpickled are the bytes of that checksum, or nothing.
    """
    terms.refuse_unwritable()
    checksum = sha256_of(data := read_expected(path, sha256))
    yield from describe_unopened(path, checksum, len(data))
    if not may_be_opened():
        raise ModelError(f"{path} was not opened, and nothing was changed.")
    package = verify(path, note=terms.note, remembered=remembered(checksum), expected_sha256=checksum, trusted=trusted)
    yield from try_out(package, terms)
    if not terms.dry_run:
        yield from activate_package(package, terms.note or f"released from {path.name}")
        former.forget_intent(settings.ML_ASSETS_DIR)


def describe_unopened(path: Path, checksum: str, size: int) -> Iterator[str]:
    """What is known of a file before it is unpickled."""
    release = ModelRelease.objects.filter(sha256=checksum).first()
    yield f"The model file {path.resolve()}"
    yield f"  sha256 {checksum}"
    yield f"  {size:,} bytes; {f'served here as {release}' if release else 'never released in this database'}"


def go_back(release_id: int | None, terms: Terms) -> Iterator[str]:
    """Put the model of this release, or else the one before the active one, into service again."""
    terms.refuse_unwritable()
    target = target_of(release_id)
    yield f"Going back to {target} of {target.released_at:%Y-%m-%d %H:%M}: {target.note}"
    note = terms.note or f"back to release {target.pk}"
    package = verified(target, note=note)
    yield from try_out(package, terms)
    if not terms.dry_run:
        with on_the_way(target):
            yield from activate_package(package, note)
        yield f"Run on every other host: manage.py release_model --rollback --to {target.pk}"


def try_out(package: Package, terms: Terms) -> Iterator[str]:
    """What was verified, and how scores would move. Raises ``ModelError`` if they would move too far."""
    yield "Verified:"
    yield from (f"  {finding}" for finding in package.findings())
    shift = rehearse(package.forest, terms.sample)
    yield from table(shift) if shift else ["No stored customer has a score to compare with."]
    if shift is not None and terms.max_mean_shift is not None and abs(shift.of_mean) > terms.max_mean_shift:
        raise ModelError(
            f"Refused: the mean score would change by {shift.of_mean:+.4f}, more than {terms.max_mean_shift} "
            "(--max-mean-shift). Nothing was changed."
        )
    if terms.dry_run:
        yield "Dry run: nothing was changed."


def activate_package(package: Package, note: str) -> Iterator[str]:
    before = ModelRelease.objects.active()
    active = put_into_service(note, package)
    what_follows = "It was already active; no score changes." if active == before else "All customers are rescored."
    yield f"Active model: {active}. {what_follows}"
    former.remove_oldest(settings.ML_ASSETS_DIR, active.fingerprint)
