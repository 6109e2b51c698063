"""Which model is active: one fact in the database, where the model itself is stored, too.

Every host loads the active model from there, or takes the files in place if they are that model's. In development a
file that comes into ml_assets/ is put into service at once. In production that takes a release; only a database without
any release takes the model that it finds. docs/decisions/0047-models-live-in-the-database.md
"""

import logging
from contextlib import suppress
from typing import Any, NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, transaction
from psycopg.errors import InsufficientPrivilege

from customers import turns
from customers.ml_service import Forest, ModelError, current_forest
from customers.ml_service.files import registry
from customers.ml_service.files.assets import MODEL_FILE, TRUSTED, read_model_file
from customers.ml_service.files.packaging import Package
from customers.ml_service.files.registry import current_identity
from customers.models import ModelFile, ModelRelease, ShadowRun
from customers.releases import storage
from customers.releases.records import note_contents_if_missing, note_verified_contents

log = logging.getLogger("vigilpay.model")

Approval = ModelRelease.Approval

# Registering a file is rare, and two processes that notice it at once must take turns.
TURN = "release"
# How far the clock of the file system may be behind.
TICK_SECONDS = 0.01

FIRST = "first model of this database"
NOT_ALLOWED = "No usable model is active, and the database role of this process may not activate one"


class ModelNotActiveError(ModelError):
    """The active model can be loaded neither from the database nor from files of this machine."""


class ReleaseMovedOnError(ModelError):
    """Another model became active in the middle of a piece of work, which has to begin anew."""


class Seen(NamedTuple):
    """The active model, and the files that were in place when this process asked for it."""

    forest: Forest
    release: ModelRelease
    files: registry.Signature


# Which release is active, for statements that write or claim by what this process remembers: an id alone is given out
# again after a restore of an older dump. ``ModelRelease.identity`` says the same of a release at hand.
NEWEST_RELEASE = "SELECT id || ' ' || fingerprint FROM customers_modelrelease ORDER BY id DESC LIMIT 1"

# What this process has last seen to be active; with a new connection it asks again.
_seen: Seen | None = None


def active_model() -> tuple[Forest, ModelRelease]:
    """The active release and its forest.

    Raises ``ModelError`` when it cannot be loaded here.
    """
    global _seen
    files = registry.current_signature()
    release = ModelRelease.objects.active()
    if release is None or has_news(release):
        release = activate_noticed()
    forest = forest_of(release)
    note_contents_if_missing(release, forest)
    _seen = Seen(forest, release, files)  # which another thread's new connection may forget at once
    return forest, release


def forget_active(**kwargs: Any) -> None:
    """Ask again which release is active. Connected to Django's ``connection_created``: it may be another database."""
    global _seen
    _seen = None


def model_at_hand() -> tuple[Forest, ModelRelease]:
    """As ``active_model``, but the database is asked only if this process does not know the active release.

    For callers that ask in a later statement anyway, ``hold_to``: each is a part of the time from an edit to its score.
    """
    seen = _seen
    if seen is None or (settings.ACCEPT_UNRELEASED_MODEL and registry.current_signature() != seen.files):
        return active_model()
    return seen.forest, seen.release


def hold_to(release: ModelRelease, newest: str | None) -> None:
    """Raise ``ReleaseMovedOnError`` unless this release is the newest, which ``NEWEST_RELEASE`` has just said."""
    if newest != release.identity:
        raise ReleaseMovedOnError("The active model has just changed.")


def refuse_unusable() -> None:
    """Raise ``ModelError`` when the active model can't be used here. Activates nothing."""
    release = ModelRelease.objects.active()
    if release is None or has_news(release):
        current_forest()
    else:
        forest_of(release)


def has_news(release: ModelRelease) -> bool:
    """Whether another model was put into ml_assets/ since this release, in development.

    A file that lay there before was replaced by this release, whichever host made it, and waits for nothing; unless the
    model of the release is nowhere to be found.
    """
    if not settings.ACCEPT_UNRELEASED_MODEL or not (came_at := registry.came_at()):
        return False
    is_later = came_at + TICK_SECONDS >= release.released_at.timestamp()
    try:
        is_another = current_identity().fingerprint != release.fingerprint
    except ModelError:
        return is_later  # which says what is wrong with it, when it is loaded
    return is_another and (is_later or not storage.is_stored(release.fingerprint))


def forest_of(release: ModelRelease) -> Forest:
    """The forest of this release: the files in place if they are its own, else what is stored of it.

    Raises ``ModelNotActiveError`` when both are missing or were altered.
    """
    forest, instead = in_place(release)
    if forest is not None:
        return forest
    try:
        return storage.load(release)
    except storage.ModelNotStoredError as error:
        raise ModelNotActiveError(f"{release} cannot score here: {error}. In place: {instead}") from None


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


def activate_noticed() -> ModelRelease:
    """Make the file in place the active model, where the rules let it, and this process: else ``ModelError``.

    The release that is active then: another process may have been the first.
    """
    try:
        with transaction.atomic(using=settings.SCORER_DATABASE):
            take_turns()
            active = ModelRelease.objects.active()
            if active is not None and not has_news(active):
                return active
            # Read only now: a forest read before our turn may be the one that another process has just replaced.
            note, approval = ("noticed in ml_assets", Approval.ONE_PERSON) if active else (FIRST, Approval.FIRST)
            forest, model = model_in_place()
            return activate(forest, model, note=note, approval=approval)
    except DatabaseError as error:
        if isinstance(error.__cause__, InsufficientPrivilege):
            raise ModelError(f"{NOT_ALLOWED}; a worker does so when it starts.") from error
        raise


def model_in_place() -> tuple[Forest, ModelFile]:
    """The forest in ml_assets/, and as it is stored."""
    forest = current_forest()
    source = read_model_file(settings.ML_ASSETS_DIR / MODEL_FILE)
    if source.sha256 != forest.sha256:
        raise ModelError("Another process has replaced the model file at this very moment. Nothing was activated.")
    return forest, storage.packed(forest, source.data)


def put_into_service(
    note: str,
    package: Package | None = None,
    *,
    approval: Approval = Approval.ONE_PERSON,
    by: str | None = None,
) -> ModelRelease:
    """Make this model the active one because an operator said so, even if it served before; without a ``package``
    the one in ml_assets/.

    Model and release are stored together: a crash leaves the release before active, and nothing half done.
    """
    if package is not None:
        notice_what_is_replaced(package)
    packed = None if package is None else (package.forest, storage.packed(package.forest, package.source))
    with transaction.atomic(using=settings.SCORER_DATABASE):
        take_turns()
        forest, model = packed or model_in_place()
        active = ModelRelease.objects.active()
        if active is None or active.fingerprint != forest.fingerprint:
            return activate(forest, model, note=note, approval=approval, proposed_by=by)
        # Put right what is stored of the active model, after an operator had its file verified again.
        storage.keep(model, using=settings.SCORER_DATABASE)
        note_verified_contents(active, forest)
        return active


def notice_what_is_replaced(package: Package) -> None:
    """In development the file in place is the active model, even if no process has noticed that yet."""
    if settings.ACCEPT_UNRELEASED_MODEL:
        with suppress(ModelError):  # nothing usable is there
            if current_identity().sha256 != package.forest.sha256:
                active_model()


def put_into_service_again(target: ModelRelease, forest: Forest, note: str, *, by: str | None) -> ModelRelease:
    """Make the model of a former release the active one; the active release, if it is that model's already."""
    with transaction.atomic(using=settings.SCORER_DATABASE):
        take_turns()
        active = ModelRelease.objects.active()
        if active is not None and active.fingerprint == target.fingerprint:
            return active
        model = None if storage.is_stored(target.fingerprint) else model_in_place()[1]
        approval = Approval.ONE_PERSON if settings.ONE_PERSON_RELEASES else Approval.ROLLBACK
        return activate(forest, model, note=note, approval=approval, proposed_by=by)


def take_turns() -> None:
    """Hold other processes that activate a model until this transaction ends."""
    turns.wait_for(TURN, using=settings.SCORER_DATABASE)


def activate(forest: Forest, model: ModelFile | None = None, *, note: str, **persons: str | None) -> ModelRelease:
    """Append the release that is active from the moment this commits; every stored score is stale then.

    Its model is stored in the same transaction; without a ``model`` it is stored already.
    """
    if model is not None:
        storage.keep(model, using=settings.SCORER_DATABASE)
    release = ModelRelease.objects.using(settings.SCORER_DATABASE).create(
        sha256=forest.sha256,
        fingerprint=forest.fingerprint,
        arrays_sha256=forest.flat.contents,
        note=note,
        metadata=summary(forest),
        **persons,
    )
    # Nothing is left to compare it with. Its scores stay for the drains, which take them over.
    of_this_model = ShadowRun.objects.using(settings.SCORER_DATABASE)
    of_this_model.stop(by="", reason=f"Its model became active as {release}.", fingerprint=forest.fingerprint)
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
