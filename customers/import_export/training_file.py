"""A CSV file of customers of whom it is known whether they left, as data to train on. Nothing is stored."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from customers.import_export.csv_files.cells import CHECKS, NO_VALUE, check_flag
from customers.import_export.csv_files.columns import EXTERNAL_NAMES, OBJECTED_NAMES, Columns, Layout
from customers.import_export.csv_files.file import RefusedError, open_csv
from customers.import_export.csv_files.reader import read_table
from customers.import_export.csv_files.rejects import Rejects
from customers.import_export.csv_files.rows import REPEATED, good_rows
from customers.import_export.external_ids import EXTERNAL_ID
from customers.import_export.staging import NO_OBJECTION, OBJECTED_AT, Row
from customers.ml_service.names import spellings
from customers.ml_service.schema import FEATURES, LABEL
from customers.ml_service.training import TrainingData

LEARNED = (*FEATURES, LABEL)
# A portfolio's ids show customers who are there twice; a table without them will do.
LABELLED = Columns(
    names={
        "customer_id": spellings("customer_id"),
        EXTERNAL_ID: EXTERNAL_NAMES,
        OBJECTED_AT: OBJECTED_NAMES,
        **{field: spellings(field) for field in LEARNED},
    },
    required=LEARNED,
    checks={**CHECKS, LABEL: check_flag},
    keys=("customer_id", EXTERNAL_ID),
)
LEAST = 5  # customers who left, and who stayed: one for each fold


@dataclass(frozen=True, eq=False)
class LabelledFile:
    """The customers that can be trained on, the rows that can't, and how the numbers of unusual columns were read.

    ``objected`` are so many more, who have objected to profiling: nothing is learned from them.
    """

    data: TrainingData
    rejects: Rejects
    formats: list[str]
    objected: int = 0


def read_labelled(
    path: Path, decimal: str | None = None, objected: Collection[int | str] = (), columns: Columns = LABELLED
) -> LabelledFile:
    """Read a file by the rules of the import. RefusedError when it as a whole can't be trained on.

    Customers with the ids or external IDs ``objected`` are left out, and those of whom the file itself says that they
    object. ``columns`` are ``LABELLED`` as this bank writes them.
    """
    with open_csv(path) as text:
        layout, formats, found = read_table(text, columns, decimal)
        rejects = Rejects(None, layout.names)
        readable = list(good_rows(found, layout, rejects.add))
    good = [it for it in readable if not has_objected(dict(zip(layout.fields, it[0], strict=True)), objected)]
    file = LabelledFile(training_data(good, layout), rejects, formats, len(readable) - len(good))
    refuse_too_few(file)
    return file


def has_objected(values: Mapping[str, object], objected: Collection[int | str]) -> bool:
    """By the file, or else by the ids."""
    ids = (values.get("customer_id"), values.get(EXTERNAL_ID))
    return values.get(OBJECTED_AT, NO_OBJECTION) not in (None, NO_OBJECTION) or any(it in objected for it in ids)


def training_data(good: list[tuple[Row, list[str]]], layout: Layout) -> TrainingData:
    rows = [tuple(map(as_number, row[-len(LEARNED) : -1])) for row, _ in good]
    labels = np.array([row[-1] for row, _ in good], dtype=np.int64)
    others = [
        (name, ["" if (cell := cells[i].strip()).casefold() in NO_VALUE else cell for _, cells in good])
        for name, i in layout.beside(LEARNED)
    ]
    return TrainingData(rows, labels, others)


def as_number(value: object) -> str | float:
    return value if isinstance(value, str) else float(value)  # type: ignore[arg-type]


def refuse_too_few(file: LabelledFile) -> None:
    left = int(file.data.labels.sum())
    stayed = len(file.data.labels) - left
    if min(left, stayed) < LEAST:
        reasons = "".join(f" {line}." for line in (*file.rejects.summary(), *about_repeated(file.rejects)))
        raise RefusedError(
            f"At least {LEAST} customers who left and {LEAST} who stayed are needed; "
            f"the file has {left} and {stayed} that can be read.{reasons}"
        )


def about_repeated(rejects: Rejects) -> list[str]:
    """What can be done if rows were left out because of their customer's id, as a line for staff."""
    repeated = [(kind.column, times) for kind, times in rejects.kinds.items() if kind.reason == REPEATED]
    return [
        f"{column} repeats in {times:,} rows. If every row is a customer of its own, take that column out of the file: "
        "training needs no ids. If a customer has several rows, keep the one to learn from"
        for column, times in repeated
    ]
