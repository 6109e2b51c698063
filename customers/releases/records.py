"""What this database knows of model files: which were released, and what their arrays hold.

A pickle is code, and a user who can write into the models' folder can write all files there. So in production the
database says which file is unpickled. docs/decisions/0036-the-database-says-what-is-unpickled.md
"""

import logging

from django.conf import settings
from django.db import DatabaseError, transaction

from customers import ml_service
from customers.ml_service import Forest
from customers.ml_service.files.records import Records
from customers.models import ModelRelease
from customers.sql import execute

log = logging.getLogger("vigilpay.model")

# For a release of former versions, which stored none. Waits for no other process that does the same.
NOTE_CONTENTS = """
UPDATE customers_modelrelease SET arrays_sha256 = %(contents)s WHERE id = (
    SELECT id FROM customers_modelrelease WHERE id = %(release)s AND arrays_sha256 = ''
    FOR NO KEY UPDATE SKIP LOCKED
)
"""

# The releases whose contents this process has tried to note.
_tried: set[str] = set()


def configure_models() -> None:
    """Hand the settings to the model service, and ask this database before anything is unpickled."""
    ml_service.configure(
        assets_dir=settings.ML_ASSETS_DIR,
        accept_unreleased=settings.ACCEPT_UNRELEASED_MODEL,
        records_of=records_of,
    )


def records_of(sha256: str) -> Records:
    """Whether the file was released in this database, and its arrays; the first file of an empty one may be opened."""
    contents = set(ModelRelease.objects.filter(sha256=sha256).values_list("arrays_sha256", flat=True))
    is_known = bool(contents) or not ModelRelease.objects.exists()
    return Records(sha256, may_be_unpickled=is_known, contents=frozenset(contents - {""}))


def note_contents_if_missing(release: ModelRelease, forest: Forest) -> None:
    """Store what the arrays of an older release hold, once they were built from its own model.pkl.

    A process without the right to do so scores all the same, from model.pkl at each start; ``release_model`` does it.
    """
    if release.arrays_sha256 or not forest.unpickled or release.identity in _tried:
        return
    _tried.add(release.identity)
    try:
        with transaction.atomic():
            execute(NOTE_CONTENTS, {"contents": forest.flat.contents, "release": release.pk})
    except DatabaseError as error:
        log.debug("The checksum of the arrays of %s is not stored: %s", release, error)


def note_verified_contents(release: ModelRelease, forest: Forest) -> None:
    """Store what the arrays of a release hold, after an operator had its file verified again."""
    if release.arrays_sha256 != forest.flat.contents:
        ModelRelease.objects.filter(pk=release.pk).update(arrays_sha256=forest.flat.contents)
        release.arrays_sha256 = forest.flat.contents
