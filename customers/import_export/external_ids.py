"""Staged rows that know their customer by the external ID: the customer ID is looked up, or a new one is given.

Until a row is stored, a new ID is a provisional one from the end of all IDs. The IDs that count are given while no
other import stores, beyond all that were ever in use: an ID is one person's, whichever customers were deleted since.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from customers.import_export.csv_files.refused import RefusedError
from customers.models import LARGEST_CUSTOMER_ID, Customer
from customers.presentation.numbers import format_count
from customers.sql import execute, fetch_row

EXTERNAL_ID = "external_id"
LOOKED_UP_AT_ONCE = 2000

ADD_FLAG = "ALTER TABLE customers_staging ADD COLUMN is_given boolean NOT NULL DEFAULT false"

# The condition of the index, in words that PostgreSQL recognises.
MATCH = """
UPDATE customers_staging AS s SET customer_id = c.customer_id, is_given = false
FROM customers_customer AS c
WHERE (s.customer_id IS NULL OR s.is_given) AND c.external_id = s.external_id AND c.external_id > ''
"""
BELONGS_TO_ANOTHER = """
SELECT count(*), min(s.customer_id) FROM customers_staging AS s JOIN customers_customer AS c USING (external_id)
WHERE c.external_id > '' AND c.customer_id <> s.customer_id
"""
TWICE = """
SELECT count(*), min(customer_id) FROM (
    SELECT customer_id FROM customers_staging WHERE customer_id IS NOT NULL GROUP BY customer_id HAVING count(*) > 1
) AS repeated
"""
NUMBER = """
UPDATE customers_staging AS s SET customer_id = %(beyond)s + %(step)s * new.number, is_given = true
FROM (
    SELECT external_id, row_number() OVER (ORDER BY external_id) AS number
    FROM customers_staging WHERE customer_id IS NULL OR is_given
) AS new
WHERE s.external_id = new.external_id
"""
COUNT_NEW = "SELECT count(*) FROM customers_staging WHERE is_given"
# Beyond the IDs of the file, too, and of all that is kept of customers who have left the table: theirs is no other
# person's history. The IDs of a departure are in order.
TAKE = """
INSERT INTO customers_lastgivenid AS last (id, value)
SELECT 1, %(number)s + greatest(%(after)s, (SELECT max(customer_id) FROM customers_customer),
    (SELECT max(customer_id) FROM customers_staging WHERE NOT is_given),
    (SELECT max(customer_id) FROM customers_scorerecord), (SELECT max(customer_id) FROM customers_unscoredversion),
    (SELECT max(customer_id) FROM customers_outcome), (SELECT max(customer_id) FROM customers_contact),
    (SELECT max(customer_id) FROM customers_worklistitem), (SELECT max(customer_id) FROM events_alert),
    (SELECT max(customer_ids[cardinality(customer_ids)]) FROM customers_departure))
ON CONFLICT (id) DO UPDATE SET value = greatest(last.value, excluded.value - %(number)s) + %(number)s
RETURNING value
"""
# Of an erased customer nothing else says so.
RAISE = """
INSERT INTO customers_lastgivenid AS last (id, value) VALUES (1, %s)
ON CONFLICT (id) DO UPDATE SET value = excluded.value WHERE last.value < excluded.value
"""
TAKEN = """
SELECT count(*) FROM customers_staging AS s JOIN customers_customer AS c
    ON c.customer_id = s.customer_id AND c.customer_id > %(low)s AND c.customer_id <= %(high)s
WHERE s.is_given AND s.customer_id > %(low)s AND s.customer_id <= %(high)s
    AND c.external_id IS DISTINCT FROM s.external_id
"""


class TakenError(Exception):
    """Another program has stored customers of its own under IDs that were given to these rows."""


@dataclass(frozen=True)
class GivenIds:
    """The customer IDs of new customers, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        count = self.last - self.first + 1
        if count == 1:
            return f"The new customer without a customer ID got {self.first}"
        return f"The {count:,} new customers without a customer ID got {self.first} to {self.last}"


def customer_ids(external: Sequence[str]) -> dict[str, int]:
    """Of those that a customer has."""
    found: dict[str, int] = {}
    for first in range(0, len(external), LOOKED_UP_AT_ONCE):
        wanted = external[first : first + LOOKED_UP_AT_ONCE]
        rows = Customer.objects.filter(external_id__in=wanted, external_id__gt="")
        found |= {str(name): pk for name, pk in rows.values_list("external_id", "pk")}
    return found


def match(cursor: CursorWrapper) -> None:
    """Look up the customers of rows without an ID, and number the new ones. RefusedError where rows contradict."""
    cursor.execute(ADD_FLAG)
    cursor.execute(MATCH)
    refuse_some(BELONGS_TO_ANOTHER, "an external ID that another customer has")
    refuse_some(TWICE, "a customer whom another row of the file names by the external ID")
    cursor.execute(NUMBER, {"beyond": LARGEST_CUSTOMER_ID, "step": -1})


def refuse_some(question: str, what: str) -> None:
    count, first = fetch_row(question)
    if count:
        rows = format_count(count, "row names", "rows name")
        raise RefusedError(f"{rows} {what}, the first of them in the row of customer {first}. Correct the file.")


def give(cursor: CursorWrapper, after: int) -> GivenIds | None:
    """Give new customers their IDs, above ``after``; None without new ones. Call it while no other import stores.

    Customers who have come since ``match`` are looked up.
    """
    cursor.execute(MATCH)
    (number,) = fetch_row(COUNT_NEW)
    if not number:
        return None
    (last,) = fetch_row(TAKE, {"after": after, "number": number})
    cursor.execute(NUMBER, {"beyond": last - number, "step": 1})
    return GivenIds(last - number + 1, last)


def never_give(customer_id: int) -> None:
    """Nor one below it."""
    execute(RAISE, [customer_id])


def refuse_taken(low: int, high: int) -> None:
    """Raise ``TakenError`` rather than let one of these rows, in which IDs were given, replace another customer."""
    (count,) = fetch_row(TAKEN, {"low": low, "high": high})
    if count:
        raise TakenError("another program has just stored customers under the new customer IDs")
