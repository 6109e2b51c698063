"""What the workers do about imports: check what was uploaded, import what was confirmed, one after the other.

A job is a hint, the batch's state says what is to be done. The worker that has the turn does it; one that dies loses
it, and the next job begins the check anew, or goes on importing above the last customer stored.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from math import inf
from tempfile import TemporaryFile
from time import monotonic
from typing import Any, TextIO

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from customers import turns
from customers.editors import on_behalf_of
from customers.import_export.conventions import Conventions, conventions_of_bank
from customers.import_export.csv_files.columns import CUSTOMERS, Columns
from customers.import_export.csv_files.file import RefusedError, text_of
from customers.import_export.csv_files.packed import MB
from customers.import_export.csv_files.reader import Source, read
from customers.import_export.csv_files.rejects import Rejects
from customers.import_export.load_errors import LoadError
from customers.import_export.staging import Progress, RowCounts, Slice, Staging, staged
from customers.import_export.unknown_words import advise_uploader, describe_unknown_words
from customers.import_export.uploads import storage
from customers.import_export.uploads.rejects import SpooledRejects, spool
from customers.import_export.uploads.since_check import Changed, ChangedSinceCheckError, SinceCheck
from customers.models import LARGEST_CUSTOMER_ID
from customers.models.imports import ImportBatch, ImportPiece, import_is_due
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count

log = logging.getLogger("vigilpay.imports")

State = ImportBatch.State
SEEN = ImportPiece.Of.SEEN

# One import at a time, whatever the number of workers: the others score.
TURN = "import"
# A batch whose worker died so often, in a row and without having stored anything, is left to staff.
MOST_ATTEMPTS = 5
LOCK_PATIENCE_SECONDS = 15.0
GAVE_UP = f"Processing stopped {MOST_ATTEMPTS} times before completion. Please ask an operator to check the log."


class TimeIsUpError(Exception):
    """The job must end; the next goes on with the import."""


class NotWantedError(Exception):
    """The import was cancelled meanwhile."""


def work_off() -> int:
    """Bring every batch that is due a step further; how many steps. Ends in time, and leaves the rest to a next job."""
    ends = monotonic() + settings.DRAIN_SECONDS / 2
    steps = 0
    while next_due() is not None:  # once more behind the lock's end: a job that came meanwhile found it held
        with turns.taken(TURN) as is_ours:
            if not is_ours:
                return steps
            while (batch := next_due()) is not None:
                has_ended = step(batch)
                steps += has_ended
                if not has_ended or monotonic() > ends:
                    import_is_due.send(ImportBatch)
                    return steps
    return steps


def next_due() -> ImportBatch | None:
    return ImportBatch.objects.filter(state__in=ImportBatch.DUE).order_by("id").first()


def step(batch: ImportBatch) -> bool:
    """Do what the state asks for; False when the time was up first."""
    do, end_without = (check, State.REFUSED) if batch.state == State.UPLOADED else (store_customers, State.STOPPED)
    if batch.attempts >= MOST_ATTEMPTS:
        end(batch, end_without, GAVE_UP)
        return True
    of_this = ImportBatch.objects.filter(pk=batch.pk)
    of_this.update(attempts=F("attempts") + 1)
    try:
        do(batch)
    except TimeIsUpError:
        of_this.update(attempts=0)
        return False
    except NotWantedError:
        log.info("Import %s was cancelled while its rows were stored", batch.pk)
    except (RefusedError, LoadError) as error:
        end(batch, end_without, str(error))
    return True


@contextmanager
def opened(batch: ImportBatch) -> Iterator[TextIO]:
    """The uploaded file as text. RefusedError when it is none."""
    with storage.spooled(batch) as file, text_of(file, batch.file_name, settings.IMPORT_MAX_MB * MB) as text:
        yield text


def check(batch: ImportBatch) -> None:
    """Read the whole file, compare it with the customers, and say what an import would do. Stores no customer."""
    with opened(batch) as text, spool() as (rejected_rows, rejects_file), TemporaryFile() as seen:
        conventions = conventions_of_bank(mapping_of(batch))
        columns = conventions.of(CUSTOMERS)
        source = read(text, columns, lambda names: SpooledRejects(rejected_rows, names), batch.decimal or None)
        with staged(source.rows, source.layout.fields) as rows:
            SinceCheck(rows).snapshot(seen)  # first: an edit in between is one since the check
            counts = rows.compare()
            unknown = describe_unknown_words(conventions.known, advise_uploader)
        rejected_rows.flush()
        with transaction.atomic():
            if checked(batch, counts, source, unknown, conventions):
                storage.store_pieces(batch, SEEN, seen)
                if source.rejects.rows:
                    storage.store_pieces(batch, ImportPiece.Of.REJECTS, rejects_file)


def columns_of(batch: ImportBatch) -> Columns:
    """As the check has read the file: what is imported is what was confirmed."""
    return Conventions(**(batch.conventions or {})).of(CUSTOMERS)


def mapping_of(batch: ImportBatch) -> dict[str, str]:
    return dict((batch.conventions or {}).get("mapping", {}))


def checked(
    batch: ImportBatch, counts: RowCounts, source: Source, unknown_words: list[str], conventions: Conventions
) -> bool:
    ignored = [f"Ignored columns: {', '.join(source.layout.ignored)}"] if source.layout.ignored else []
    first = source.rejects.first if isinstance(source.rejects, SpooledRejects) else []
    return batch.move(
        (State.UPLOADED,),
        State.CHECKED,
        **found(counts),
        rejected=source.rejects.rows,
        conventions=conventions.as_json(),
        notes=[*ignored, *source.formats, *unknown_words, *source.rejects.summary(), *first],
    )


def found(counts: RowCounts) -> dict[str, Any]:
    """What a check has found, as fields of the batch."""
    return {"new": counts.new, "changed": counts.changed, "unchanged": counts.unchanged, "checked_at": Now()}


def store_customers(batch: ImportBatch) -> None:
    """Bring the customers to the file's values, above the last one stored, as edits of the user who has confirmed it.

    Goes no further than the first customer that was edited since the check: see ``ask_again``.
    """
    progress = BatchProgress(batch)
    with on_behalf_of(batch.confirmed_by_id), opened(batch) as text, storage.spooled(batch, SEEN) as seen:
        source = read(text, columns_of(batch), lambda names: Rejects(None, names), batch.decimal or None)
        with staged(source.rows, source.layout.fields, progress) as rows, SinceCheck(rows).beside(seen) as since_check:
            progress.since_check = since_check
            try:
                progress.before(rest_of(batch))
                progress.ends = monotonic() + settings.DRAIN_SECONDS / 2
                rows.store(after=batch.stored_up_to, patience_seconds=LOCK_PATIENCE_SECONDS)
            except ChangedSinceCheckError:
                ask_again(batch, rows, since_check)
            else:
                with transaction.atomic():
                    if batch.move((State.CONFIRMED,), State.IMPORTED, message=""):
                        storage.forget_file(batch)


def rest_of(batch: ImportBatch) -> Slice:
    """What is not stored yet."""
    return Slice(batch.stored_up_to, LARGEST_CUSTOMER_ID, batch.good_rows)


def ask_again(batch: ImportBatch, rows: Staging, since_check: SinceCheck) -> None:
    """Compare the file anew, say what has changed since the check, and wait until it is confirmed once more."""
    batch.refresh_from_db()
    changed = since_check.changed_customers(rest_of(batch))
    with TemporaryFile() as seen:
        since_check.snapshot(seen)
        counts = rows.compare()
        with transaction.atomic():
            moved = batch.move(
                (State.CONFIRMED,),
                State.STOPPED if batch.stored_rows else State.CHECKED,
                **found(counts),
                message=describe_changes(batch, changed),
                changed_since_check=asdict(changed),
                confirmed_at=batch.confirmed_at if batch.stored_rows else None,
            )
            if moved:
                log.info("Import %s asks again: %s customers have changed", batch.pk, changed.customers)
                storage.store_pieces(batch, SEEN, seen)


def describe_changes(batch: ImportBatch, changed: Changed) -> str:
    if batch.checked_at is None:  # without a snapshot whatever would be overwritten counts as changed
        return "The file was checked by an older version and has been compared again. Confirm the import again."
    they = format_count(changed.customers, "customer was", "customers were")
    return (
        f"{they} edited, added or deleted since the check of {format_time(batch.checked_at)}; the import would "
        "overwrite these changes. It has stopped before them, and the file has been compared again. "
        "Look at these customers, then confirm or cancel."
    )


def end(batch: ImportBatch, state: str, message: str) -> None:
    """Go no further, and say why. A refused file is not needed any more; a stopped one may be confirmed again."""
    log.warning("Import %s goes no further: %s", batch.pk, message)
    with transaction.atomic():
        if batch.move((batch.state,), state, message=message[:1000]) and state == State.REFUSED:
            storage.forget_file(batch)


class BatchProgress(Progress):
    """Writes down with each slice how far the import is: what counts as stored is stored, and nothing twice."""

    def __init__(self, batch: ImportBatch) -> None:
        self.since_check: SinceCheck | None = None
        self._of_batch = ImportBatch.objects.filter(pk=batch.pk, state=State.CONFIRMED)
        self.ends = inf

    def __call__(self, what: str, rows: int) -> None:
        if monotonic() > self.ends:
            raise TimeIsUpError

    def before(self, piece: Slice) -> None:
        if self.since_check is not None and self.since_check.changed_customers(piece).customers:
            raise ChangedSinceCheckError

    def after(self, piece: Slice, counts: RowCounts) -> None:
        written = self._of_batch.update(
            stored_up_to=piece.high,
            stored_new=F("stored_new") + counts.new,
            stored_changed=F("stored_changed") + counts.changed,
            stored_rows=F("stored_rows") + piece.rows,
            attempts=0,
        )
        if not written:
            raise NotWantedError
