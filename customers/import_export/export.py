"""Customers as a CSV file, piece by piece: of all of them no more than their ids are in memory at once.

Not by a cursor of the server's, which lives in one session: a pooler may lend each statement another one.
"""

import csv
from array import array
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from django.db.models import QuerySet

from customers.import_export.csv_files.cells import neutralised
from customers.ml_service.schema import FEATURES
from customers.models import Customer, ModelRelease
from customers.presentation.bands import band
from customers.presentation.reasons import main_reasons

READ = (
    *("customer_id", "external_id", "surname", *FEATURES),
    *("churn_risk_score", "value_at_risk", "scored_at", "stale_since", "scored_by_id"),
)
HEADER = (
    "customer_id",
    "external_id",
    "surname",
    *FEATURES,
    "churn_risk_score",
    "value_at_risk",
    "risk_band",
    "main_reason",
    "is_current",
    "scored_at",
)
FETCH_ROWS = 2000
SCORE_DIGITS = 6  # what a spreadsheet can show of a probability; the JSON views have all digits
# Without it Excel takes UTF-8 for something else; the import passes over it.
BYTE_ORDER_MARK = "\ufeff"


def csv_of(customers: QuerySet[Customer]) -> Iterator[str]:
    """The lines of the file, by pieces; columns as the import reads them, and the score behind them.

    Customers who have objected to being scored are left out, also those who do so while the file is written.
    """
    # A file whose writer gets each line back.
    write = csv.writer(SimpleNamespace(write=str), lineterminator="\r\n").writerow
    yield BYTE_ORDER_MARK + str(write(HEADER))
    active = ModelRelease.objects.active_id()
    labels = main_reasons()
    ids = array("q", customers.values_list("pk", flat=True).iterator())
    for first in range(0, len(ids), FETCH_ROWS):
        rows = read(ids[first : first + FETCH_ROWS])
        yield "".join(str(write(line(row, active, labels))) for row in rows)


def line(row: tuple[Any, ...], active: int | None, labels: dict[int, str]) -> list[Any]:
    known, behaviour, scored = row[:3], row[3 : 3 + len(FEATURES)], row[3 + len(FEATURES) :]
    customer_id, external_id, surname = known
    *values, has_card, is_active = behaviour
    score, value, scored_at, stale_since, scored_by, reason = scored
    main_reason = (
        "" if stale_since is not None else labels.get(reason, "")
    )  # a stale score's reason was that of other fields
    return [
        customer_id,
        neutralised(external_id or ""),
        neutralised(surname),
        *(neutralised(it) if isinstance(it, str) else it for it in values),
        int(has_card),
        int(is_active),
        score if score is None else f"{score:.{SCORE_DIGITS}f}",
        value,
        "" if score is None else band(score),
        neutralised(main_reason),
        int(stale_since is None and scored_by == active),
        scored_at.isoformat(timespec="seconds") if scored_at else "",
    ]


def read(ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """These customers in this order, without those who were deleted, or have objected, meanwhile."""
    place = {customer_id: number for number, customer_id in enumerate(ids)}
    rows = Customer.objects.not_objected().filter(pk__in=list(ids)).order_by().values_list(*READ, "reason_codes__0")
    return sorted(rows, key=lambda row: place[row[0]])
