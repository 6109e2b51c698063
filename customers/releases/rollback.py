"""Going back to a model that served before: which one, from which files, and what an interruption leaves behind."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from customers.ml_service import ModelError
from customers.ml_service.files import former
from customers.ml_service.files.packaging import Package, verify
from customers.models import ModelRelease


class NoFormerReleaseError(ModelError):
    """There is no such release to go back to."""


def target_of(release_id: int | None) -> ModelRelease:
    """The release to go back to: this one, or else the one whose model preceded the active one.

    The latter is looked for before the active model's *first* release, so that going back twice goes further back and
    never forth again, to a model that was rejected just now.
    """
    active = ModelRelease.objects.active()
    if active is None:
        raise NoFormerReleaseError("No model was ever released in this database.")
    found = (
        interrupted(active) or preceding(active)
        if release_id is None
        else ModelRelease.objects.filter(pk=release_id).first()
    )
    if found is None:
        which = f"There is no {f'model before {active}' if release_id is None else f'release {release_id}'}."
        raise NoFormerReleaseError(f"{which} {choice(active)}")
    return found


def preceding(active: ModelRelease) -> ModelRelease | None:
    first = ModelRelease.objects.filter(fingerprint=active.fingerprint).earliest("id")
    return ModelRelease.objects.filter(id__lt=first.pk).order_by("-id").first()


def interrupted(active: ModelRelease) -> ModelRelease | None:
    """Where a return was going that did not end, unless something else was released since.

    A worker may have noticed its files meanwhile, in development even half of them: the file is the same, then.
    """
    intent = former.read_intent(settings.ML_ASSETS_DIR)
    wanted = ModelRelease.objects.filter(pk=intent["to"]).first() if isinstance(intent.get("to"), int) else None
    if wanted is not None and (active.pk == intent.get("from") or active.sha256 == wanted.sha256):
        return wanted
    return None


def choice(active: ModelRelease) -> str:
    others = ModelRelease.objects.exclude(fingerprint=active.fingerprint)[: former.KEEP]
    return f"Choose with --to: {', '.join(map(str, others))}." if others else "There is no other release."


def verified(target: ModelRelease, *, note: str) -> Package:
    """The kept files of that release, verified like any other, and to be the model that served then."""
    path = former.find(settings.ML_ASSETS_DIR, target.fingerprint, target.sha256)
    package = verify(path, note=note, remembered=target.metadata, expected_sha256=target.sha256)
    if package.forest.fingerprint != target.fingerprint:
        raise ModelError(f"The model.json in {path.parent} has other label codes than {target}; correct it.")
    return package


@contextmanager
def on_the_way(target: ModelRelease) -> Iterator[None]:
    """Remember where this return goes, until it has arrived."""
    active = ModelRelease.objects.active()
    assert active is not None  # noqa: S101 - for mypy: there is a target only where there is an active release
    former.write_intent(settings.ML_ASSETS_DIR, {"from": active.pk, "to": target.pk})
    yield
    former.forget_intent(settings.ML_ASSETS_DIR)
