"""Going back to a model that served before: which one."""

from customers.ml_service import ModelError
from customers.models import ModelRelease

CHOICES = 5


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
    found = preceding(active) if release_id is None else ModelRelease.objects.filter(pk=release_id).first()
    if found is None:
        which = f"There is no {f'model before {active}' if release_id is None else f'release {release_id}'}."
        raise NoFormerReleaseError(f"{which} {choice(active)}")
    return found


def preceding(active: ModelRelease) -> ModelRelease | None:
    """The release before the first one of this model."""
    first = ModelRelease.objects.filter(fingerprint=active.fingerprint).earliest("id")
    return ModelRelease.objects.filter(id__lt=first.pk).order_by("-id").first()


def choice(active: ModelRelease) -> str:
    others = ModelRelease.objects.exclude(fingerprint=active.fingerprint)[:CHOICES]
    return f"Choose with --to: {', '.join(map(str, others))}." if others else "There is no other release."
