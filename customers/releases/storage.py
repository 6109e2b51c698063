"""The models of releases, in the database: stored once, loaded by every host, and held against their release.

Whoever may write this table may take a model away, and no more: what is loaded has the checksums of its release, and
what is unpickled, too. docs/decisions/0047-models-live-in-the-database.md
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, transaction

from customers.ml_service import Forest, ModelError
from customers.ml_service.errors import ModelCorruptError
from customers.ml_service.files import stored
from customers.ml_service.files.assets import MODEL_FILE, open_forest, read_model_file
from customers.ml_service.files.assets import ModelFile as FileInPlace
from customers.ml_service.files.stored import Wanted
from customers.ml_service.forest.compiled import FlatForest
from customers.models import ModelFile, ModelProposal, ModelRelease
from customers.releases.records import note_contents_if_missing, records_of

log = logging.getLogger("vigilpay.model")

# Where earlier versions kept the files of models that served, below the models' folder.
FORMER = "former/*/" + MODEL_FILE

_lock = threading.Lock()
# A fork in the middle of another thread's load must not leave the child with a lock that is never released.
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
# The forest that this process has loaded last.
_held: Forest | None = None
# What was refused last, until when it is not read again, and why: to read a model for nothing takes a while.
_refused: tuple[str, float, str] | None = None
REFUSED_SECONDS = 2.0


class ModelNotStoredError(ModelError):
    """The database holds no model of this release, or not the one that was released."""


class ModelAlteredError(ModelNotStoredError):
    """What is stored is not the model that was released."""


def is_stored(fingerprint: str) -> bool:
    return ModelFile.objects.filter(pk=fingerprint).exists()


def keep(model: ModelFile, *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Store the model, as ``packed`` gives it, in place of what is stored of it."""
    rows = ModelFile.objects.using(using)
    with transaction.atomic(using=using):
        rows.filter(pk=model.pk).delete()
        rows.bulk_create([model], ignore_conflicts=True)  # another process may be at it, too


def packed(forest: Forest, source: bytes) -> ModelFile:
    """The model whose model.pkl is ``source``. Takes seconds for a large one, so it is done before any lock is held."""
    return ModelFile(
        fingerprint=forest.fingerprint,
        sha256=forest.sha256,
        arrays_sha256=forest.flat.contents,
        source=stored.pack(source),
        arrays=stored.pack_arrays(forest.flat),
        metadata=dict(forest.metadata),
    )


def load(release: ModelRelease | ModelProposal) -> Forest:
    """The forest of this release: from memory, else from the cache, else from the database.

    Raises ``ModelNotStoredError``; nothing that is not the released model is ever returned. Holds no lock in the
    database, and asks it nothing once the forest is in memory.
    """
    global _held, _refused
    with _lock:
        held = _held
        if held is None or not is_of(held, release):
            if _refused is not None and _refused[0] == release.fingerprint and monotonic() < _refused[1]:
                raise ModelNotStoredError(_refused[2])
            try:
                held = _held = read(release)
            except ModelAlteredError as error:
                _refused = release.fingerprint, monotonic() + REFUSED_SECONDS, str(error)
                raise
        return held


def is_of(forest: Forest, release: ModelRelease | ModelProposal) -> bool:
    known = forest.flat.contents if release.arrays_sha256 else ""  # of a release of an early version nothing is known
    return (forest.fingerprint, known) == (release.fingerprint, release.arrays_sha256)


def read(release: ModelRelease | ModelProposal) -> Forest:
    wanted = wanted_of(release)
    cached = stored.read_cache(settings.MODEL_CACHE, wanted) if wanted.contents else None
    if cached is not None:
        return wanted.forest(cached, unpickled=False)
    flat, unpickled = from_table(wanted)
    forest = wanted.forest(flat, unpickled=unpickled)
    if flat.contents == wanted.contents:
        stored.write_cache(settings.MODEL_CACHE, wanted, flat)
    return forest


def wanted_of(release: ModelRelease | ModelProposal) -> Wanted:
    """The release with its model.json. Raises ``ModelNotStoredError`` where there is none."""
    metadata = ModelFile.objects.filter(pk=release.fingerprint).values_list("metadata", flat=True).first()
    if metadata is None:
        raise ModelNotStoredError(
            f"the model of {release} is not in the database, and its model.pkl is not on this machine; find the file "
            f"(sha256 {release.sha256[:12]}…) and run: manage.py release_model PATH. That makes no new release of the "
            "active model"
        )
    return Wanted(release.sha256, release.fingerprint, release.arrays_sha256, metadata)


def from_table(wanted: Wanted) -> tuple[FlatForest, bool]:
    """The stored arrays; where they are not the released ones, those of the released model.pkl, and True."""
    try:
        return stored.from_packed_arrays(column_of(wanted, "arrays"), wanted), False
    except ModelError as error:
        if wanted.contents:
            log.error(
                "The stored arrays of %s were altered and are refused: %s. The stored model.pkl is read instead, which "
                "is slower. Find out who wrote to customers_modelfile, then run: manage.py release_model PATH",
                *(wanted.name, error),
            )
    try:
        return stored.from_source(column_of(wanted, "source"), wanted), True
    except ModelCorruptError as error:
        raise ModelAlteredError(
            f"what is stored of {wanted.name} was altered or damaged, and is not used: {error}. Find its model.pkl "
            f"(sha256 {wanted.sha256[:12]}…) and run: manage.py release_model PATH"
        ) from None


def source_of(release: ModelRelease) -> bytes:
    """The model.pkl of this release: as it is stored, or in place as long as no worker has stored it.

    Raises ``ModelError`` where neither is the one that was released.
    """
    try:
        wanted = wanted_of(release)
    except ModelNotStoredError:
        if (in_place := source_in_place(release)) is not None:
            return in_place
        raise
    return stored.source_of(column_of(wanted, "source"), wanted)


def source_in_place(release: ModelRelease) -> bytes | None:
    """As another version of the code has released it, on this machine; by its checksum."""
    with suppress(ModelError):
        found = read_model_file(settings.ML_ASSETS_DIR / MODEL_FILE)
        if found.sha256 == release.sha256:
            return found.data
    return None


def column_of(wanted: Wanted, column: str) -> bytes:
    found = ModelFile.objects.filter(pk=wanted.fingerprint).values_list(column, flat=True).first()
    if found is None:
        raise ModelNotStoredError(f"{wanted.name} was removed from the database at this moment")
    return bytes(found)


def verified(proposal: ModelProposal) -> Forest:
    """What every host will load: arrays and model.pkl as they are stored, past memory and cache.

    Raises ``ModelError`` unless both are what was proposed.
    """
    wanted = wanted_of(proposal)
    stored.source_of(column_of(wanted, "source"), wanted)
    return wanted.forest(stored.from_packed_arrays(column_of(wanted, "arrays"), wanted), unpickled=False)


def adopt() -> None:
    """Store the models of releases by earlier versions, which kept files: as far as those lie on this machine."""
    stored_already = ModelFile.objects.values("fingerprint")
    lacking = {release.fingerprint: release for release in ModelRelease.objects.exclude(fingerprint__in=stored_already)}
    for file in files_on_this_machine() if lacking else ():
        release = lacking.pop(file.fingerprint, None)
        if release is not None and release.sha256 == file.sha256:
            adopt_file(release, file)


def files_on_this_machine() -> Iterator[FileInPlace]:
    folder: Path = settings.ML_ASSETS_DIR
    for path in (folder / MODEL_FILE, *sorted(folder.glob(FORMER))):
        try:
            file = read_model_file(path)
            _ = file.fingerprint
        except ModelError:
            continue
        yield file


def adopt_file(release: ModelRelease, file: FileInPlace) -> None:
    """Store this file as the model of the release, by the rules that hold for loading it."""
    try:
        forest = open_forest(
            file.path, accept_unreleased=settings.ACCEPT_UNRELEASED_MODEL, records=records_of(file.sha256)
        )
    except ModelError as error:
        log.warning("The model of %s is not stored: %s", release, error)
        return
    keep(packed(forest, file.data))
    note_contents_if_missing(release, forest)
    log.info("The model of %s is stored in the database.", release)
