"""What staff do with an import: upload, confirm, cancel. And how old ones are forgotten."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Now

from customers.import_export.uploads import storage
from customers.models.imports import ImportBatch, ImportPiece, import_is_due

State = ImportBatch.State

CAN_BE_CANCELLED = (*ImportBatch.DUE, *ImportBatch.WAITING)


def begin(batch: ImportBatch, pieces: Iterable[bytes]) -> None:
    """Take an uploaded file in, and have it checked."""
    with transaction.atomic():
        storage.upload(batch, pieces)
        import_is_due.send(ImportBatch)


def confirm(batch: ImportBatch, user_id: int) -> bool:
    """Have a checked file imported, or one that stopped go on; False when it is neither by now."""
    with transaction.atomic():
        import_is_due.send(ImportBatch)
        return batch.move(ImportBatch.WAITING, State.CONFIRMED, confirmed_by_id=user_id, confirmed_at=Now(), message="")


def cancel(batch: ImportBatch, message: str) -> bool:
    """Go no further and forget the file; False when it is too late. What is stored already stays stored."""
    with transaction.atomic():
        cancelled = batch.move(CAN_BE_CANCELLED, State.CANCELLED, message=message)
        if cancelled:
            storage.forget_file(batch)
    return cancelled


def forget_imports(before: datetime) -> int:
    """Cancel what was not confirmed since then, and forget files and rejected rows; how many pieces."""
    for batch in ImportBatch.objects.filter(state__in=ImportBatch.WAITING, state_since__lt=before):
        if cancel(batch, "Cancelled: the import was not confirmed in time."):
            batch.pieces.all().delete()
    old = ImportPiece.objects.filter(batch__state_since__lt=before).exclude(batch__state__in=ImportBatch.DUE)
    return old.delete()[0]
