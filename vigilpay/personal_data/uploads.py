"""Uploaded files that hold a customer: those that wait are cancelled, those of rejected rows are written anew."""

import csv
import io
from collections.abc import Sequence
from contextlib import closing
from tempfile import TemporaryFile

from customers.import_export.csv_files.columns import CUSTOMERS
from customers.import_export.csv_files.reader import read
from customers.import_export.csv_files.refused import RefusedError
from customers.import_export.csv_files.rejects import HEADER, Rejects
from customers.import_export.csv_files.rows import Rejected
from customers.import_export.uploads import steps, storage
from customers.import_export.uploads.worker import opened
from customers.ml_service.names import plain
from customers.models.imports import ImportBatch, ImportPiece
from vigilpay.personal_data.person import Person

CANCELLED = "Cancelled: the file held a customer who was erased. Upload it again without that customer."


def forget_in_uploads(person: Person) -> dict[str, int]:
    """How many uploads were cancelled, and how many rejected rows were removed.

    An upload whose file holds the customer would bring the customer back. Call it while no import runs.
    """
    waiting = batches_with(ImportPiece.Of.FILE)
    cancelled = sum(steps.cancel(batch, CANCELLED) for batch in waiting if is_in_file(batch, person))
    removed = sum(remove_rejects(batch, person) for batch in batches_with(ImportPiece.Of.REJECTS))
    return {"uploads, cancelled": cancelled, "rejected rows of uploads": removed}


def uploads_with(person: Person) -> list[ImportBatch]:
    """Those whose file, or whose rejected rows, hold the customer at this moment."""
    waiting = [batch for batch in batches_with(ImportPiece.Of.FILE) if is_in_file(batch, person)]
    rejected = [batch for batch in batches_with(ImportPiece.Of.REJECTS) if is_in_rejects(batch, person)]
    return [*waiting, *(batch for batch in rejected if batch not in waiting)]


def batches_with(of: str) -> list[ImportBatch]:
    return list(ImportBatch.objects.filter(pieces__of=of).order_by("id").distinct())


class Seeker(Rejects):
    """Keeps no rejected row, but whether one was about the customer."""

    def __init__(self, names: Sequence[str], person: Person) -> None:
        super().__init__(None, names)
        self._person = person
        self._positions = positions_in(names)
        self.has_found = False

    def add(self, rejected: Rejected) -> None:
        self.has_found = self.has_found or self._person.is_in_row(rejected.cells, self._positions)


def is_in_file(batch: ImportBatch, person: Person) -> bool:
    """Also where the file can't be read to its end: the rest of it may hold the customer."""
    try:
        with opened(batch) as text:
            source = read(text, CUSTOMERS, lambda names: Seeker(names, person), batch.decimal or None)
            at = source.layout.fields.index("customer_id")
            is_good_row = any(row[at] == person.customer_id for row in source.rows)
            return is_good_row or (isinstance(source.rejects, Seeker) and source.rejects.has_found)
    except RefusedError:
        return True


def positions_in(names: Sequence[str]) -> dict[str, int]:
    """Where the id and the surname stand under a header as a bank may have spelled it."""
    fields = {CUSTOMERS.field_of.get(plain(name)): position for position, name in enumerate(names)}
    return {field: fields[field] for field in ("customer_id", "surname") if field in fields}


# --- rejected rows ----------------------------------------------------------------------------------------------------


def rejected_rows(batch: ImportBatch) -> list[list[str]]:
    """The header, then the rows: number, columns and reasons stand before the cells of the upload."""
    content = b"".join(storage.pieces(batch, ImportPiece.Of.REJECTS)).decode()
    return list(csv.reader(io.StringIO(content, newline="")))


def rows_without(rows: list[list[str]], person: Person) -> list[list[str]]:
    width = len(HEADER)
    positions = positions_in(rows[0][width:])
    return [rows[0], *(row for row in rows[1:] if not person.is_in_row(row[width:], positions))]


def is_in_rejects(batch: ImportBatch, person: Person) -> bool:
    rows = rejected_rows(batch)
    return len(rows_without(rows, person)) < len(rows)


def remove_rejects(batch: ImportBatch, person: Person) -> int:
    """How many rows were taken out of the file."""
    rows = rejected_rows(batch)
    kept = rows_without(rows, person)
    if len(kept) < len(rows):
        with TemporaryFile() as file, closing(io.TextIOWrapper(file, encoding="utf-8", newline="")) as text:
            csv.writer(text, lineterminator="\n").writerows(kept)
            text.flush()
            storage.store_pieces(batch, ImportPiece.Of.REJECTS, file)
    return len(rows) - len(kept)
