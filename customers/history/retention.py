"""How long the history of the customers is kept. What explains a stored score stays, and what says how customers stood
at the earliest moment that is kept.
"""

from dataclasses import dataclass
from datetime import datetime
from math import inf
from time import monotonic

from django.db import transaction

from customers.history.departures import IDS, LIVES
from customers.history.feed import FOREIGN
from customers.sql import execute, fetch_row

# So many rows are looked at in one transaction: some 50 ms. Nothing else ever changes or locks these rows.
SLICE_ROWS = 5000


def left_before(row: str, condition: str = "") -> str:
    """Whether all departures of this row's customer, or those that meet the condition, came before that moment."""
    return f"""NOT EXISTS (SELECT FROM customers_departure AS departure, {LIVES}
            WHERE {IDS} @> {row}.customer_id - 1 AND departure.left_at >= %(before)s
              AND gone.customer_id = {row}.customer_id{condition})"""


# How each customer stood at any moment that is kept must stay known, at the first of them, too: docs/decisions/0051. So
# the newest record before it stays, and of a present customer the newest of all, which is that of the present score.
# One probe of the index finds the record that follows.
DISPENSABLE = f"""record.scored_at < %(before)s AND (
    (SELECT newer.scored_at FROM customers_scorerecord AS newer
     WHERE newer.customer_id = record.customer_id AND newer.id > record.id ORDER BY newer.id LIMIT 1) < %(before)s
    OR NOT EXISTS (SELECT FROM customers_customer AS customer WHERE customer.customer_id = record.customer_id)
        AND {left_before("record")})"""

# A version goes when another had taken its place before, or when the life has ended before. One with an objection says
# besides that the scores before it do not count: it stays until a score, or another objection, has come behind it.
OF_ITS_LIFE = "{0}.customer_id = version.customer_id AND {0}.arrived_at = version.arrived_at"
SUPERSEDES = f"{OF_ITS_LIFE} AND {{0}}.version > version.version"
CLEARS_AS_MUCH = "(version.objected_at IS NULL OR {0}.objected_at IS NOT NULL)"
SUPERSEDED = f"""version.edited_at < %(before)s AND (
    EXISTS (SELECT FROM customers_unscoredversion AS later
            WHERE {SUPERSEDES.format("later")} AND later.edited_at < %(before)s AND {CLEARS_AS_MUCH.format("later")})
    OR EXISTS (SELECT FROM customers_scorerecord AS record
               WHERE {SUPERSEDES.format("record")} AND record.scored_at < %(before)s)
    OR EXISTS (SELECT FROM customers_customer AS present
               WHERE {SUPERSEDES.format("present")} AND GREATEST(present.stale_since, present.edited_at) < %(before)s
                 AND {CLEARS_AS_MUCH.format("present")})
    OR NOT EXISTS (SELECT FROM customers_customer AS present WHERE {OF_ITS_LIFE.format("present")})
        AND {left_before("version", " AND gone.arrived_at = version.arrived_at")})"""

# First of all, so that no list is made of what is being deleted.
NOTE_EXTENT = """
INSERT INTO customers_historyextent AS extent (id, complete_since) VALUES (1, GREATEST(%(before)s, clock_timestamp()))
ON CONFLICT (id) DO UPDATE SET complete_since = %(before)s WHERE extent.complete_since < %(before)s
"""

# One slice in the order of ids, which is nearly that of time. Returns where it ends, whether anything in it was old,
# and how much was deleted; nothing after the last slice.
PRUNE_RECORDS = f"""
WITH slice AS MATERIALIZED (
    SELECT id, scored_at FROM customers_scorerecord WHERE id > %(after)s ORDER BY id LIMIT %(rows)s
), deleted AS (
    DELETE FROM customers_scorerecord AS record USING slice WHERE record.id = slice.id AND {DISPENSABLE}
    RETURNING record.id
)
SELECT max(id), min(scored_at) < %(before)s, (SELECT count(*) FROM deleted) FROM slice
"""

PRUNE_UNSCORED = f"""
WITH slice AS MATERIALIZED (
    SELECT id, edited_at FROM customers_unscoredversion WHERE id > %(after)s ORDER BY id LIMIT %(rows)s
), deleted AS (
    DELETE FROM customers_unscoredversion AS version USING slice WHERE version.id = slice.id AND {SUPERSEDED}
    RETURNING version.id
)
SELECT max(id), min(edited_at) < %(before)s, (SELECT count(*) FROM deleted) FROM slice
"""

PRUNE_DEPARTURES = """
WITH slice AS MATERIALIZED (
    SELECT id, left_at FROM customers_departure WHERE id > %(after)s ORDER BY id LIMIT %(rows)s
), deleted AS (
    DELETE FROM customers_departure AS departure USING slice
    WHERE departure.id = slice.id AND slice.left_at < %(before)s
    RETURNING departure.id
)
SELECT max(id), min(left_at) < %(before)s, (SELECT count(*) FROM deleted) FROM slice
"""

# A reader who has not come so far has missed something, and is told so. What a restore has brought no reader is given.
PRUNE_CHANGES = f"""
WITH slice AS MATERIALIZED (
    SELECT id, changed_at FROM customers_scorechange WHERE id > %(after)s ORDER BY id LIMIT %(rows)s
), gone AS (
    DELETE FROM customers_scorechange AS change USING slice
    WHERE change.id = slice.id AND slice.changed_at < %(before)s
    RETURNING change.transaction_id, change.id
), last AS (
    SELECT change.transaction_id, change.id FROM gone AS change, customers_feedepoch AS epoch
    WHERE NOT {FOREIGN} ORDER BY change.transaction_id DESC, change.id DESC LIMIT 1
), noted AS (
    UPDATE customers_feedepoch AS epoch SET pruned_transaction = last.transaction_id, pruned_change = last.id FROM last
    WHERE (epoch.pruned_transaction, epoch.pruned_change) < (last.transaction_id, last.id)
)
SELECT max(id), min(changed_at) < %(before)s, (SELECT count(*) FROM gone) FROM slice
"""

COUNT = f"""
SELECT (SELECT count(*) FROM customers_scorerecord AS record WHERE {DISPENSABLE}),
    (SELECT count(*) FROM customers_unscoredversion AS version WHERE {SUPERSEDED})
"""


@dataclass(frozen=True)
class Pruned:
    """What was deleted, or would be."""

    records: int
    unscored_versions: int
    go_on_after: int | None = None  # the id of the last record looked at, when the time was up


def prune_history(before: datetime, *, after_record: int = 0, seconds: float = inf) -> Pruned:
    """Delete what is older, in short transactions; stop when the time is up, and say where to go on."""
    ends = monotonic() + seconds
    execute(NOTE_EXTENT, {"before": before})
    unscored, _ = prune_slices(PRUNE_UNSCORED, before, 0, ends)
    prune_slices(PRUNE_DEPARTURES, before, 0, ends)
    records, go_on_after = prune_slices(PRUNE_RECORDS, before, after_record, ends)
    return Pruned(records, unscored, go_on_after)


def prune_changes(before: datetime) -> int:
    """Delete what the feed of changed scores has of former days, in short transactions; how many changes it was."""
    return prune_slices(PRUNE_CHANGES, before, 0, inf)[0]


def prune_slices(statement: str, before: datetime, after: int, ends: float) -> tuple[int, int | None]:
    """How many rows were deleted, and where to go on if the time was up first."""
    deleted = 0
    while True:
        end, any_old, gone = prune_slice(statement, before, after)
        if end is None or not any_old:
            return deleted, None
        deleted, after = deleted + gone, end
        if monotonic() > ends:
            return deleted, after


def prune_slice(statement: str, before: datetime, after: int) -> tuple[int | None, bool, int]:
    with transaction.atomic():
        end, any_old, gone = fetch_row(statement, {"before": before, "after": after, "rows": SLICE_ROWS})
    return end, bool(any_old), gone


def would_prune(before: datetime) -> Pruned:
    """Count what ``prune_history`` would delete; reads the whole history."""
    return Pruned(*fetch_row(COUNT, {"before": before}))
