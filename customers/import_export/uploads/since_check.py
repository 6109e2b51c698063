"""What has become of the customers of a file since it was checked: no newer edit is overwritten unseen."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from django.db import DatabaseError, connection

from customers.import_export.staging import Slice, Staging
from customers.sql import fetch_row

# {stored} are the columns that an import would write. Another may change: nothing of it is overwritten.
SNAPSHOT = """
COPY (
  SELECT c.customer_id, hash_record_extended(ROW({stored}), 0)
  FROM customers_staging AS s JOIN customers_customer AS c USING (customer_id)
) TO STDOUT
"""

CREATE = "CREATE TEMPORARY TABLE customers_seen (customer_id bigint PRIMARY KEY, fingerprint bigint)"
FILL = "COPY customers_seen FROM STDIN"
ANALYZE = "ANALYZE customers_seen"
DROP = "DROP TABLE IF EXISTS pg_temp.customers_seen"

# Those that are as the file has them already lose nothing.
CHANGED = """
SELECT count(*), coalesce((array_agg(s.customer_id ORDER BY s.customer_id))[1:%(most)s], '{{}}')
FROM customers_staging AS s
LEFT JOIN customers_customer AS c
  ON c.customer_id = s.customer_id AND c.customer_id > %(low)s AND c.customer_id <= %(high)s
LEFT JOIN customers_seen AS o ON o.customer_id = s.customer_id
WHERE s.customer_id > %(low)s AND s.customer_id <= %(high)s AND (c.customer_id IS NULL OR {differs})
  AND o.fingerprint IS DISTINCT FROM CASE
    WHEN c.customer_id IS NOT NULL THEN hash_record_extended(ROW({stored}), 0)
  END
"""
IDS_KEPT = 100


@dataclass(frozen=True)
class Changed:
    """How many customers have been edited, have come or have gone since the check, and the first of their ids."""

    customers: int
    ids: list[int]


class ChangedSinceCheckError(Exception):
    """An import would overwrite edits that are newer than the check which the user has confirmed."""


class SinceCheck:
    """The staged customers as they are, beside what they were when the snapshot was taken."""

    def __init__(self, staging: Staging) -> None:
        stored = ", ".join(f"c.{field}" for field in staging.fields[1:])
        self._snapshot = SNAPSHOT.format(stored=stored)
        self._changed = CHANGED.format(stored=stored, differs=staging.differs)

    def snapshot(self, file: IO[bytes]) -> None:
        """Write what is stored of the staged customers to the file."""
        with connection.cursor() as cursor, cursor.copy(self._snapshot) as copy:
            for content in copy:
                file.write(content)

    @contextmanager
    def beside(self, snapshot: IO[bytes]) -> Iterator["SinceCheck"]:
        """Have the snapshot at hand for ``changed_customers``."""
        with connection.cursor() as cursor:
            try:
                cursor.execute(DROP)
                cursor.execute(CREATE)
                with cursor.copy(FILL) as copy:
                    shutil.copyfileobj(snapshot, copy)
                cursor.execute(ANALYZE)
                yield self
            finally:
                with suppress(DatabaseError):  # a lost connection has taken the table with it
                    cursor.execute(DROP)

    def changed_customers(self, piece: Slice) -> Changed:
        """The customers of the slice that an import would change, and that have changed since the snapshot."""
        return Changed(*fetch_row(self._changed, {"low": piece.low, "high": piece.high, "most": IDS_KEPT}))
