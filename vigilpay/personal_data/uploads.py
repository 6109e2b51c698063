"""Uploaded files that hold a customer: those that wait are cancelled, those of rejected rows are written anew."""

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from tempfile import TemporaryFile
from typing import cast

from customers.import_export.csv_files.columns import Columns
from customers.import_export.csv_files.reader import below_header, read
from customers.import_export.csv_files.refused import RefusedError
from customers.import_export.csv_files.rejects import HEADER, Rejects
from customers.import_export.csv_files.rows import Rejected
from customers.import_export.external_ids import EXTERNAL_ID
from customers.import_export.uploads import steps, storage
from customers.import_export.uploads.worker import columns_of, opened
from customers.ml_service.names import plain
from customers.models.imports import ImportBatch, ImportPiece
from vigilpay.personal_data.person import Person

Cells = dict[str, str]

CANCELLED = "Cancelled: the file held a customer who was erased. Upload it again without that customer."


def forget_in_uploads(person: Person) -> dict[str, int]:
    """How many uploads were cancelled, and how many rejected rows were removed.

    An upload whose file holds the customer would bring the customer back. Call it while no import runs.
    """
    waiting = batches_with(ImportPiece.Of.FILE)
    cancelled = sum(steps.cancel(batch, CANCELLED) for batch in waiting if is_in_file(batch, person))
    removed = sum(remove_rejects(batch, person) for batch in batches_with(ImportPiece.Of.REJECTS))
    return {"uploads, cancelled": cancelled, "rejected rows of uploads": removed}


def rows_about(person: Person) -> Iterator[tuple[ImportBatch, Cells]]:
    """The rows about the customer in files that wait, and among rejected ones, by the names of their columns.

    Of a file that can't be read to its end there is one row that says so.
    """
    for batch in batches_with(ImportPiece.Of.FILE):
        try:
            yield from ((batch, row) for row in rows_in_file(batch, person))
        except RefusedError as error:
            yield batch, {"the file cannot be read": str(error)}
    for batch in batches_with(ImportPiece.Of.REJECTS):
        header, *rows = rejected_rows(batch)
        yield from ((batch, dict(zip(header, row, strict=False))) for row in about(batch, header, rows, person))


def batches_with(of: str) -> list[ImportBatch]:
    return list(ImportBatch.objects.filter(pieces__of=of).order_by("id").distinct())


class Seeker(Rejects):
    """Keeps those of the rejected rows that are about the customer."""

    def __init__(self, names: Sequence[str], columns: Columns, person: Person) -> None:
        super().__init__(None, names)
        self._person = person
        self._positions = positions_in(names, columns)
        self.found: list[Cells] = []

    def add(self, rejected: Rejected) -> None:
        if self._person.is_in_row(rejected.cells, self._positions):
            self.found.append(dict(zip(self._names, rejected.cells, strict=False)))


def rows_in_file(batch: ImportBatch, person: Person) -> Iterator[Cells]:
    """Raises ``RefusedError`` where the file can't be read to its end."""
    columns = columns_of(batch)
    with opened(batch) as text:
        source = read(text, columns, lambda names: Seeker(names, columns, person), batch.decimal or None)
        for row in source.rows:
            values = dict(zip(source.layout.fields, row, strict=True))
            if values.get("customer_id") == person.customer_id or person.is_external_id(
                values.get("external_id") or ""
            ):
                yield {field: str(value) for field, value in values.items()}
        yield from cast(Seeker, source.rejects).found


def is_in_file(batch: ImportBatch, person: Person) -> bool:
    """Also where the file can't be read to its end: the rest of it may hold the customer."""
    try:
        return any(True for _ in rows_in_file(batch, person))
    except RefusedError:
        return True


def positions_in(names: Sequence[str], columns: Columns) -> dict[str, int]:
    """Where the ids and the surname stand under a header as this bank has spelled it."""
    fields = {columns.field_of.get(plain(name)): position for position, name in enumerate(names)}
    return {field: fields[field] for field in ("customer_id", "external_id", "surname") if field in fields}


def by_external_id() -> list[str]:
    """The names of files that know customers by an external ID: of those that wait, and of those with rejected rows."""
    waiting = [batch for batch in batches_with(ImportPiece.Of.FILE) if EXTERNAL_ID in fields_of(batch)]
    rejected = [batch for batch in batches_with(ImportPiece.Of.REJECTS) if EXTERNAL_ID in rejected_fields_of(batch)]
    return list(dict.fromkeys(batch.file_name for batch in (*waiting, *rejected)))


def fields_of(batch: ImportBatch) -> Collection[str]:
    """Those that the file has; none where its header can't be read: such a file is cancelled by any erasure."""
    try:
        with opened(batch) as text:
            return below_header(text, columns_of(batch))[0].fields
    except RefusedError:
        return ()


# --- rejected rows ----------------------------------------------------------------------------------------------------


def rejected_rows(batch: ImportBatch) -> list[list[str]]:
    """The header, then the rows: number, columns and reasons stand before the cells of the upload."""
    content = b"".join(storage.pieces(batch, ImportPiece.Of.REJECTS)).decode()
    return list(csv.reader(io.StringIO(content, newline="")))


def rejected_fields_of(batch: ImportBatch) -> Collection[str]:
    header, *_ = rejected_rows(batch)
    return positions_in(header[len(HEADER) :], columns_of(batch))


def about(batch: ImportBatch, header: list[str], rows: list[list[str]], person: Person) -> list[list[str]]:
    """Those of the rows that are about the customer."""
    width = len(HEADER)
    positions = positions_in(header[width:], columns_of(batch))
    return [row for row in rows if person.is_in_row(row[width:], positions)]


def remove_rejects(batch: ImportBatch, person: Person) -> int:
    """How many rows were taken out of the file."""
    header, *rows = rejected_rows(batch)
    removed = about(batch, header, rows, person)
    if removed:
        kept = [row for row in rows if row not in removed]
        with TemporaryFile() as file, closing(io.TextIOWrapper(file, encoding="utf-8", newline="")) as text:
            csv.writer(text, lineterminator="\n").writerows([header, *kept])
            text.flush()
            storage.store_pieces(batch, ImportPiece.Of.REJECTS, file)
    return len(removed)
