"""The bytes of an import in PostgreSQL, a piece at a time, so that no file fills the memory of web or worker."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO

from customers.models.imports import ImportBatch, ImportPiece

PIECE_BYTES = 1 << 20


def upload(batch: ImportBatch, pieces: Iterable[bytes]) -> None:
    """Store a new batch and its file. Call it in a transaction: a batch without its whole file is none."""
    checksum = sha256()
    batch.file_bytes = 0
    batch.save()
    for number, content in enumerate(pieces):
        ImportPiece.objects.create(batch=batch, of=ImportPiece.Of.FILE, number=number, content=content)
        checksum.update(content)
        batch.file_bytes += len(content)
    batch.sha256 = checksum.hexdigest()
    batch.save(update_fields=["sha256", "file_bytes"])


def store_pieces(batch: ImportBatch, of: str, file: IO[bytes]) -> None:
    """Store the file, from its beginning, in the place of what was there."""
    batch.pieces.filter(of=of).delete()
    file.seek(0)
    for number, content in enumerate(iter(lambda: file.read(PIECE_BYTES), b"")):
        ImportPiece.objects.create(batch=batch, of=of, number=number, content=content)


def pieces(batch: ImportBatch, of: str) -> Iterator[bytes]:
    """The bytes in their order, each piece read when it is wanted."""
    wanted = batch.pieces.filter(of=of).order_by("number")
    for number in wanted.values_list("number", flat=True):
        yield bytes(wanted.values_list("content", flat=True).get(number=number))


@contextmanager
def spooled(batch: ImportBatch, of: str = ImportPiece.Of.FILE) -> Iterator[IO[bytes]]:
    """The bytes as a file, at its beginning. It has no name on the disk: a killed worker leaves nothing there."""
    with TemporaryFile() as file:
        for content in pieces(batch, of):
            file.write(content)
        file.seek(0)
        yield file


def forget_file(batch: ImportBatch) -> None:
    """The uploaded file is no longer needed; its rejected rows stay."""
    batch.pieces.filter(of__in=[ImportPiece.Of.FILE, ImportPiece.Of.SEEN]).delete()
