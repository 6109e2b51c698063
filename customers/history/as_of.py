"""All customers as they stood at a moment of the past: values, score and release.

What had been committed by then counts. The history notes when a statement began that edited, and when a row was added,
deleted or scored; so the list equals the table of a moment at which no transaction was open, and differs from another
by the transactions that were open then. docs/decisions/0051-the-list-as-it-was.md has the reasons.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from customers.history.departures import IDS, LIVES
from customers.ml_service.schema import FEATURES
from customers.sql import fetch_row, fetch_rows

PAGE_ROWS = 2000

# Who was there: present customers, and those who have left since. Customers of whom neither is known had left before.
# The first and the last id of each page.
PAGES = f"""
SELECT min(customer_id), max(customer_id) FROM (
    SELECT customer_id, (row_number() OVER (ORDER BY customer_id) - 1) / %(rows)s AS page FROM (
        SELECT customer_id FROM customers_customer WHERE arrived_at <= %(moment)s
        UNION
        SELECT gone.customer_id FROM customers_departure AS departure, {LIVES}
        WHERE departure.left_at > %(moment)s AND gone.arrived_at <= %(moment)s
    ) AS present
) AS numbered GROUP BY page ORDER BY page
"""

EXTENT = "SELECT max(complete_since) FROM customers_historyextent"

LIFE = "{0}.customer_id = life.customer_id AND {0}.arrived_at = life.arrived_at"
VALUES = ", ".join(FEATURES)
THEIR_VALUES = ", ".join(f"version.{field}" for field in FEATURES)

# Each version stands in one of three places: see ``timeline.py``. When it began, a record says that answers an edit; of
# one that only another model gave, it is known that the version stood by then. The last version that had begun is the
# one of the highest number: of two edits of a row the second may have begun first, and waited. An objection clears the
# score, and scores of versions before it do not come back. Of one customer, records follow each other by their ids.
READ = f"""
WITH life AS MATERIALIZED (
    SELECT DISTINCT ON (customer_id) customer_id, arrived_at FROM (
        SELECT customer_id, arrived_at FROM customers_customer
        WHERE customer_id BETWEEN %(first)s AND %(last)s AND arrived_at <= %(moment)s
        UNION ALL
        SELECT gone.customer_id, gone.arrived_at FROM customers_departure AS departure, {LIVES}
        WHERE {IDS} && int8range(%(first)s::bigint - 1, %(last)s) AND departure.left_at > %(moment)s
          AND gone.customer_id BETWEEN %(first)s AND %(last)s AND gone.arrived_at <= %(moment)s
    ) AS known ORDER BY customer_id, arrived_at DESC
)
SELECT life.customer_id, {THEIR_VALUES}, version.number, version.has_objected,
    stored.score, stored.version, stored.scored_by_id, stored.scored_at
FROM life
CROSS JOIN LATERAL (
    (SELECT record.version AS number, false AS has_objected, {VALUES} FROM customers_scorerecord AS record
     WHERE {LIFE.format("record")}
       AND CASE WHEN record.stale_since IS NULL THEN record.scored_at
           ELSE GREATEST(record.stale_since, record.edited_at) END <= %(moment)s
     ORDER BY record.id DESC LIMIT 1)
    UNION ALL
    (SELECT unscored.version, unscored.objected_at IS NOT NULL, {VALUES} FROM customers_unscoredversion AS unscored
     WHERE {LIFE.format("unscored")} AND unscored.edited_at <= %(moment)s
     ORDER BY unscored.version DESC LIMIT 1)
    UNION ALL
    (SELECT present.version, present.objected_at IS NOT NULL, {VALUES} FROM customers_customer AS present
     WHERE {LIFE.format("present")}
       AND CASE WHEN COALESCE(present.stale_since, present.objected_at) IS NULL THEN present.scored_at
           ELSE GREATEST(present.stale_since, present.edited_at) END <= %(moment)s)
    ORDER BY number DESC, credit_score NULLS LAST LIMIT 1
) AS version
LEFT JOIN LATERAL (
    SELECT record.score, record.version, record.scored_by_id, record.scored_at FROM customers_scorerecord AS record
    WHERE NOT version.has_objected AND {LIFE.format("record")} AND record.scored_at <= %(moment)s
      AND record.version > COALESCE((
        SELECT max(objection.version) FROM customers_unscoredversion AS objection
        WHERE {LIFE.format("objection")} AND objection.objected_at IS NOT NULL AND objection.edited_at <= %(moment)s
      ), 0)
    ORDER BY record.id DESC LIMIT 1
) AS stored ON true
ORDER BY life.customer_id
"""


class PastCustomer(NamedTuple):
    """A customer as the row stood then. ``values`` are in FEATURES order, numbers as stored.

    Score, ``scored_version``, release and ``scored_at`` are None where the row had no score; a score whose version is
    not ``version`` was that of former values, and the next one was pending.
    """

    customer_id: int
    values: tuple[Any, ...]
    version: int
    has_objected: bool
    score: float | None
    scored_version: int | None
    release: int | None
    scored_at: datetime | None


class NotKeptError(Exception):
    """How customers stood at that moment is not known; ``complete_since`` is the earliest of which it is, if any is."""

    def __init__(self, moment: datetime, complete_since: datetime | None) -> None:
        super().__init__(f"There is no list as of {moment}: the history is complete since {complete_since}.")
        self.moment, self.complete_since = moment, complete_since


def read_as_of(moment: datetime) -> Iterator[list[PastCustomer]]:
    """All customers of that moment by their ids, page by page.

    Raises ``NotKeptError``: at once, or behind the last page where history was deleted meanwhile.
    """
    refuse_unless_kept(moment)
    return pages_of(moment)


def pages_of(moment: datetime) -> Iterator[list[PastCustomer]]:
    """Who was there is a fact of the past: pages stay what they are, also while customers come and leave."""
    for first, last in fetch_rows(PAGES, {"moment": moment, "rows": PAGE_ROWS}):
        yield read_page(first, last, moment)
    refuse_unless_kept(moment)


def refuse_unless_kept(moment: datetime) -> None:
    (since,) = fetch_row(EXTENT)
    if since is None or moment < since:
        raise NotKeptError(moment, since)


def read_page(first: int, last: int, moment: datetime) -> list[PastCustomer]:
    """The customers with these ids, and those between, who were there."""
    rows = fetch_rows(READ, {"first": first, "last": last, "moment": moment})
    end = 1 + len(FEATURES)
    return [PastCustomer(row[0], tuple(row[1:end]), *row[end:]) for row in rows]
