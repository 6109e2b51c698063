"""Which model is active: joins the file that this process has loaded to the one fact in the database."""

import logging
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from customers.ml_service import Forest, ModelError, current_forest, former
from customers.ml_service.packaging import Package
from customers.ml_service.pickles import read_bytes, sha256_of
from customers.models import ModelRelease

log = logging.getLogger("vigilpay.model")

# Any constant number: registering a file is rare, and two processes that notice it at once must take turns.
REGISTER_LOCK = 0x56494749


class ModelNotActiveError(ModelError):
    """This machine holds a model file that was in service once, but is not the active one now."""


class ReleaseMovedOnError(ModelError):
    """Another model became active in the middle of a piece of work, which has to begin anew."""


# Which release is active, for statements that write or claim by what this process remembers: an id alone is given out
# again after a restore of an older dump. ``ModelRelease.identity`` says the same of a release at hand.
NEWEST_RELEASE = "SELECT id || ' ' || fingerprint FROM customers_modelrelease ORDER BY id DESC LIMIT 1"

# What this process has last seen to be active; with a new connection it looks again.
_seen_active: ModelRelease | None = None
# The file that was the active model then, and its release.
_served: tuple[Forest, ModelRelease] | None = None


def active_model() -> tuple[Forest, ModelRelease]:
    """The forest of this process and its release, which is the active one.

    Raises ``ModelError`` when there is no usable model file here, or when it is not the active one.
    """
    forest = current_forest()
    release = ModelRelease.objects.active()
    if release is None or release.fingerprint != forest.fingerprint:
        forest, release = activate_noticed()
    _remember(forest, release)
    return forest, release


def look_who_is_active() -> None:
    """Remember the file at hand as the active model if it is that. Puts nothing into service."""
    forest, release = current_forest(), ModelRelease.objects.active()
    if release is not None and release.fingerprint == forest.fingerprint:
        _remember(forest, release)


def _remember(forest: Forest, release: ModelRelease) -> None:
    global _seen_active, _served
    _seen_active, _served = release, (forest, release)


def forget_active(**kwargs: Any) -> None:
    """Ask again which release is active. Connected to Django's ``connection_created``: it may be another database."""
    global _seen_active
    _seen_active = None


def model_at_hand() -> tuple[Forest, ModelRelease]:
    """As ``active_model``, but the database is asked only if this process does not know the release of its file.

    For whoever asks in a later statement anyway, ``hold_to``: each is a part of the time from an edit to its score.
    """
    forest, seen = current_forest(), _seen_active
    if seen is not None and seen.fingerprint == forest.fingerprint:
        return forest, seen
    return active_model()


def hold_to(release: ModelRelease, newest: str | None) -> None:
    """Raise ``ReleaseMovedOnError`` unless this release is the newest, which ``NEWEST_RELEASE`` has just said."""
    if newest != release.identity:
        raise ReleaseMovedOnError("The active model has changed at this very moment.")


@transaction.atomic
def activate_noticed() -> tuple[Forest, ModelRelease]:
    """Make the file that was found in place of the active one the active model, where the rules let it."""
    take_turns()
    # Read only now: a forest read before our turn may be the one that somebody else's turn has just replaced.
    forest = current_forest()
    active = ModelRelease.objects.active()
    if active is not None and active.fingerprint == forest.fingerprint:
        return forest, active  # somebody else was first
    refuse_former_release(forest, active)
    return forest, activate(forest, note="noticed in ml_assets" if active else "first model of this database")


@transaction.atomic
def put_into_service(note: str, package: Package | None = None) -> ModelRelease:
    """Make the file in ml_assets/ the active model because somebody said so, even if it served before.

    A ``package`` is put there first. Files before the row, and both while nobody else can activate anything: a crash
    between the two leaves the former release active, and running the same again completes it.
    """
    take_turns()
    active = ModelRelease.objects.active()
    if package is not None:
        keep_outgoing(active)
        package.install(settings.ML_ASSETS_DIR)
    forest = current_forest()
    if package is not None and forest.fingerprint != package.forest.fingerprint:
        raise ModelError("Somebody else has replaced the model file at this very moment. Nothing was activated.")
    if active is not None and active.fingerprint == forest.fingerprint:
        return active
    return activate(forest, note=note)


def keep_outgoing(active: ModelRelease | None) -> None:
    """Keep the files in place for a return to them, if they are those of the active model."""
    try:
        forest = current_forest()
    except ModelError:
        return  # nothing usable is there, as after a crash in the middle of this
    if active is not None and active.fingerprint == forest.fingerprint:
        former.keep(settings.ML_ASSETS_DIR, forest)


def take_turns() -> None:
    """Hold other processes that activate a model until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [REGISTER_LOCK])


def refuse_former_release(forest: Forest, active: ModelRelease | None) -> None:
    """Outside development a file that served before is an old copy on this machine, not somebody's wish to go back.

    Nor is a file anywhere that has not been replaced since it served, in a database that was restored since.
    """
    known = ModelRelease.objects.filter(fingerprint=forest.fingerprint).exists()
    if not (known and not settings.ACCEPT_UNRELEASED_MODEL) and not is_left_over(forest, active):
        return
    raise ModelNotActiveError(
        f"The model file on this machine ({forest.sha256[:12]}) was in service before, but the active model is "
        f"{active}. Put the active file in place, or go back to this one with: manage.py release_model PATH"
    )


def is_left_over(forest: Forest, active: ModelRelease | None) -> bool:
    """Whether the file has stayed as it was when this process saw it in service, and the database has gone back."""
    if active is None or _served is None or _served[0] is not forest:
        return False
    served = _served[1]
    id_was_given_again = ModelRelease.objects.filter(pk=served.pk).exclude(fingerprint=served.fingerprint).exists()
    return active.pk < served.pk or id_was_given_again


def activate(forest: Forest, *, note: str) -> ModelRelease:
    """Append the release that is active from the moment this commits; every stored score is stale then."""
    release = ModelRelease.objects.create(
        sha256=forest.sha256, fingerprint=forest.fingerprint, note=note, metadata=summary(forest)
    )
    log.warning("Active model is now %s: %s. All customers will be rescored.", release, note)
    return release


def summary(forest: Forest) -> dict[str, object]:
    """What is worth keeping of model.json: what the model card tells of the file, and whom it was trained on."""
    # The codes of metadata alone: those of a file without any are a guess, not worth remembering.
    kept = ("training", "sklearn_version", "metrics", "baselines", "diagnostics", "encodings", "reference")
    return {"n_trees": forest.n_trees, **{key: forest.metadata[key] for key in kept if key in forest.metadata}}


def remembered(path: Path) -> dict[str, object]:
    """What this database knows of a file that served before: its label codes, above all. Empty for any other file."""
    sha256 = sha256_of(read_bytes(path))
    former = ModelRelease.objects.filter(sha256=sha256, metadata__has_key="encodings").order_by("-id").first()
    return dict(former.metadata) if former else {}
