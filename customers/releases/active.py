"""Which model is active: joins the files on this machine to the one fact in the database.

In development the file in place is the active model, however it came there. In production an operator puts a model
into service, by ``release_model``: files that came another way, as with an upgrade of the code, are left alone. Only a
database without any release takes the model that it finds. docs/decisions/0025-who-puts-a-model-into-service.md
"""

import logging
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, transaction
from psycopg.errors import InsufficientPrivilege

from customers import turns
from customers.conditions import Condition
from customers.ml_service import Forest, ModelError, current_forest
from customers.ml_service.files import former
from customers.ml_service.files.assets import MODEL_FILE, TRUSTED
from customers.ml_service.files.packaging import Package
from customers.ml_service.files.registry import current_identity
from customers.models import ModelRelease
from customers.releases.records import note_contents_if_missing, note_verified_contents

log = logging.getLogger("vigilpay.model")

# Registering a file is rare, and two processes that notice it at once must take turns.
TURN = "release"

NOT_ALLOWED = "No usable model is active, and the database role of this process may not activate one"


class ModelNotActiveError(ModelError):
    """This machine holds the files of other models than the active one."""


class ReleaseMovedOnError(ModelError):
    """Another model became active in the middle of a piece of work, which has to begin anew."""


# Another model lies in place than the active one, which this machine has kept.
displaced = Condition(log)

# Which release is active, for statements that write or claim by what this process remembers: an id alone is given out
# again after a restore of an older dump. ``ModelRelease.identity`` says the same of a release at hand.
NEWEST_RELEASE = "SELECT id || ' ' || fingerprint FROM customers_modelrelease ORDER BY id DESC LIMIT 1"

# What this process has last seen to be active; with a new connection it asks again.
_seen: tuple[Forest, ModelRelease] | None = None
# The file in place that was the active model when this process last saw it so, and its release.
_served: tuple[Forest, ModelRelease] | None = None
# The models whose files this process has seen in place, and kept as far as it may.
_kept: set[tuple[Path, str]] = set()


def active_model() -> tuple[Forest, ModelRelease]:
    """The active release and its forest.

    Raises ``ModelError`` when this machine has no usable files of it.
    """
    global _seen, _served
    release = ModelRelease.objects.active()
    if release is None or settings.ACCEPT_UNRELEASED_MODEL:
        seen = noticed(release)
        _served = seen if settings.ACCEPT_UNRELEASED_MODEL and seen[0] is current_forest() else _served
    else:
        seen = active_forest_of(release), release
    _seen = seen  # which another thread's new connection may forget at once
    return seen


def forget_active(**kwargs: Any) -> None:
    """Ask again which release is active. Connected to Django's ``connection_created``: it may be another database."""
    global _seen
    _seen = None


def model_at_hand() -> tuple[Forest, ModelRelease]:
    """As ``active_model``, but the database is asked only if this process does not know the active release.

    For callers that ask in a later statement anyway, ``hold_to``: each is a part of the time from an edit to its score.
    """
    seen = _seen
    if seen is None or (settings.ACCEPT_UNRELEASED_MODEL and current_forest() is not seen[0]):
        return active_model()
    return seen


def hold_to(release: ModelRelease, newest: str | None) -> None:
    """Raise ``ReleaseMovedOnError`` unless this release is the newest, which ``NEWEST_RELEASE`` has just said."""
    if newest != release.identity:
        raise ReleaseMovedOnError("The active model has just changed.")


def noticed(release: ModelRelease | None) -> tuple[Forest, ModelRelease]:
    """The forest in place and its release, which is made if this is not the one of that forest."""
    if release is None or release.fingerprint != (forest := current_forest()).fingerprint:
        forest, release = activate_noticed()
    keep_if_possible(forest)
    return forest, release


def active_forest_of(release: ModelRelease) -> Forest:
    """As ``forest_of``, of the active release. Logs once which of its files are used."""
    forest, instead = in_place(release)
    if forest is not None:
        displaced.end("The files of %s are in place again.", release)
        keep_if_possible(forest)
        note_contents_if_missing(release, forest)
        return forest
    forest = kept_forest_of(release, instead)
    note_contents_if_missing(release, forest)
    path = former.folder_of(settings.ML_ASSETS_DIR, release.fingerprint) / MODEL_FILE
    displaced.begin(
        "This machine goes on scoring with the kept files of %s: %s. Put them back with: manage.py release_model %s",
        *(release, instead, path),
    )
    return forest


def forest_of(release: ModelRelease) -> Forest:
    """The forest of this release, from the files in place, or else from those that were kept.

    Raises ``ModelNotActiveError`` when both are missing.
    """
    forest, instead = in_place(release)
    return forest or kept_forest_of(release, instead)


def in_place(release: ModelRelease) -> tuple[Forest | None, str]:
    """The forest in place if it is this release's, else what is there instead, in words. Another is not even loaded."""
    try:
        found = current_identity()
        forest = current_forest() if found.fingerprint == release.fingerprint else None
    except ModelError as error:
        return None, str(error)
    if forest is not None and forest.fingerprint == release.fingerprint:
        return forest, ""
    return None, f"{settings.ML_ASSETS_DIR / MODEL_FILE} is another model ({found.sha256[:12]})"


def kept_forest_of(release: ModelRelease, instead: str) -> Forest:
    """The forest of the files that were kept. ``ModelNotActiveError`` without them, with what is there ``instead``."""
    try:
        return former.kept_forest(settings.ML_ASSETS_DIR, release.fingerprint)
    except ModelError:
        raise ModelNotActiveError(
            f"the active model is {release}, and this machine has no files of it: {instead}. Copy its model.pkl and "
            "model.json here from another machine and run: manage.py release_model PATH (that makes no new release); "
            "or release another model with the same command"
        ) from None


def keep_if_possible(forest: Forest) -> None:
    """Keep the active model's files against an upgrade of the code, which may overwrite those in place.

    A process that may not write there scores all the same; ``release_model`` is run by a user that may.
    """
    model = settings.ML_ASSETS_DIR, forest.fingerprint
    if model in _kept:
        return
    _kept.add(model)
    try:
        former.keep_forest(settings.ML_ASSETS_DIR, forest)
    except OSError as error:
        log.debug("The files of the active model are not kept: %s", error)  # `check` warns of it, customers.W003


def activate_noticed() -> tuple[Forest, ModelRelease]:
    """Make the file in place the active model, where the rules let it, and this process: else ``ModelError``."""
    try:
        with transaction.atomic(using=settings.SCORER_DATABASE):
            return activate_in_turn()
    except DatabaseError as error:
        if isinstance(error.__cause__, InsufficientPrivilege):
            raise ModelError(f"{NOT_ALLOWED}; a worker does so when it starts.") from error
        raise


def activate_in_turn() -> tuple[Forest, ModelRelease]:
    take_turns()
    active = ModelRelease.objects.active()
    if active is not None and not settings.ACCEPT_UNRELEASED_MODEL:
        return active_forest_of(active), active  # another process was the first in this database
    # Read only now: a forest read before our turn may be the one that another process's turn has just replaced.
    forest = current_forest()
    if active is not None and active.fingerprint == forest.fingerprint:
        return forest, active
    if active is not None and is_left_over(forest, active):
        return active_forest_of(active), active
    return forest, activate(forest, note="noticed in ml_assets" if active else "first model of this database")


def put_into_service(note: str, package: Package | None = None) -> ModelRelease:
    """Make the file in ml_assets/ the active model because an operator said so, even if it served before.

    A ``package`` is put there first, and kept like the model that it replaces. Files before the row, and both while no
    other process can activate anything: a crash between the two leaves the former release active, and running the same
    again completes it.
    """
    with transaction.atomic(using=settings.SCORER_DATABASE):
        return put_into_service_in_turn(note, package)


def put_into_service_in_turn(note: str, package: Package | None) -> ModelRelease:
    take_turns()
    forest = current_forest() if package is None else installed(package)
    active = ModelRelease.objects.active()
    if active is None or active.fingerprint != forest.fingerprint:
        return activate(forest, note=note)
    if package is not None:
        note_verified_contents(active, forest)
    return active


def installed(package: Package) -> Forest:
    """Put the files of the package in place, and keep them and those before them; the forest that lies there then."""
    keep_outgoing(package)
    former.keep_package(settings.ML_ASSETS_DIR, package)
    package.install(settings.ML_ASSETS_DIR)
    if current_identity().fingerprint != package.forest.fingerprint:
        raise ModelError("Another process has just replaced the model file. Nothing was activated.")
    return package.forest


def keep_outgoing(package: Package) -> None:
    """Keep the files in place for a return to them.

    In development they are the active model, even if no process has noticed that yet. In production files that never
    served are not opened for this, and not kept.
    """
    active = ModelRelease.objects.active()
    if active is None and not settings.ACCEPT_UNRELEASED_MODEL:
        return
    try:
        forest = current_forest()
    except ModelError:
        return  # nothing usable is there, as after a crash in the middle of this
    if forest.sha256 == package.forest.sha256:
        return  # as after a crash, or copied there to be released
    if settings.ACCEPT_UNRELEASED_MODEL:
        noticed(active)
    former.keep_forest(settings.ML_ASSETS_DIR, forest)


def take_turns() -> None:
    """Hold other processes that activate a model until this transaction ends."""
    turns.wait_for(TURN, using=settings.SCORER_DATABASE)


def is_left_over(forest: Forest, active: ModelRelease) -> bool:
    """Whether the file has stayed as it was when this process saw it in service, and the database has gone back."""
    if _served is None or _served[0] is not forest:
        return False
    served = _served[1]
    given_again = ModelRelease.objects.filter(pk=served.pk).exclude(fingerprint=served.fingerprint)
    return active.pk < served.pk or given_again.exists()


def activate(forest: Forest, *, note: str) -> ModelRelease:
    """Append the release that is active from the moment this commits; every stored score is stale then."""
    release = ModelRelease.objects.using(settings.SCORER_DATABASE).create(
        sha256=forest.sha256,
        fingerprint=forest.fingerprint,
        arrays_sha256=forest.flat.contents,
        note=note,
        metadata=summary(forest),
    )
    release._state.db = DEFAULT_DB_ALIAS  # the same row, by whichever role it was written
    log.warning("Active model is now %s: %s. All customers will be rescored.", release, note)
    return release


def summary(forest: Forest) -> dict[str, object]:
    """What is worth keeping of model.json: what the model card says of the file, and on whom it was trained."""
    # The codes of metadata alone: those of a file without any are a guess, not worth remembering.
    kept = ("training", "sklearn_version", "metrics", "baselines", "diagnostics", "encodings", "reference", TRUSTED)
    return {"n_trees": forest.n_trees, **{key: forest.metadata[key] for key in kept if key in forest.metadata}}


def remembered(sha256: str) -> dict[str, object]:
    """What this database knows of a file that served before: its label codes, above all. Empty for any other file."""
    former = ModelRelease.objects.filter(sha256=sha256, metadata__has_key="encodings").order_by("-id").first()
    return dict(former.metadata) if former else {}
