"""Customers as a CSV file, row by row: read by a cursor of the database, so that no number of them fills the memory."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet

from customers.bands import band
from customers.csv_import.cells import neutralised
from customers.ml_service.schema import FEATURES
from customers.models import Customer, ModelRelease
from customers.stored_reasons import main_reasons

READ = ("customer_id", "surname", *FEATURES, "churn_risk_score", "scored_at", "stale_since", "scored_by_id")
HEADER = (
    "customer_id",
    "surname",
    *FEATURES,
    "churn_risk_score",
    "risk_band",
    "main_reason",
    "is_current",
    "scored_at",
)
FETCH_ROWS = 2000
# Without it Excel takes UTF-8 for something else; the import passes over it.
BYTE_ORDER_MARK = "\ufeff"


class Line:
    """A file whose writer gets each line back."""

    def write(self, text: str) -> str:
        return text


def csv_of(customers: QuerySet[Customer]) -> Iterator[str]:
    """The lines of the file, by pieces; columns as the import reads them, and the score behind them."""
    write = csv.writer(Line(), lineterminator="\r\n").writerow
    yield BYTE_ORDER_MARK + str(write(HEADER))
    active = ModelRelease.objects.active()
    labels = main_reasons()
    rows = customers.values_list(*READ, "reason_codes__0").iterator(chunk_size=FETCH_ROWS)
    for piece in pieces(rows):
        yield "".join(str(write(line(row, active.pk if active else None, labels))) for row in piece)


def line(row: tuple[Any, ...], active: int | None, labels: dict[int, str]) -> list[Any]:
    customer_id, surname, *numbers, has_card, is_active = row[: 2 + len(FEATURES)]
    score, scored_at, stale_since, scored_by, reason = row[2 + len(FEATURES) :]
    told = "" if stale_since is not None else labels.get(reason, "")  # a stale score's reason was that of other fields
    return [
        customer_id,
        neutralised(surname),
        *numbers,
        int(has_card),
        int(is_active),
        score,
        "" if score is None else band(score),
        neutralised(told),
        int(stale_since is None and scored_by == active),
        scored_at.isoformat(timespec="seconds") if scored_at else "",
    ]


def pieces(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """Some hundred rows at a time: a write to the network for each would cost more than the row."""
    piece: list[tuple[Any, ...]] = []
    for row in rows:
        piece.append(row)
        if len(piece) == FETCH_ROWS:
            yield piece
            piece = []
    yield piece
