"""Some customers, chosen at random, for a price that hardly grows with their number."""

from customers.sql import fetch_row, fetch_rows

ESTIMATE = "SELECT reltuples FROM pg_class WHERE oid = 'customers_customer'::regclass"

# SYSTEM reads whole pages, whose rows are neighbours: so many more are read than wanted, and some of each taken.
SAMPLE = "SELECT customer_id FROM customers_customer TABLESAMPLE SYSTEM (%s) ORDER BY random() LIMIT %s"
READ_TIMES = 20


def random_ids(number: int) -> list[int]:
    """Ids of ``number`` customers, or of all when there are no more."""
    (rows,) = fetch_row(ESTIMATE)
    # -1 or 0 rows: PostgreSQL has never counted them.
    percent = min(100.0, 100.0 * READ_TIMES * number / rows) if rows > 0 else 100.0
    ids = sample_pages(percent, number)
    # The estimate was too high, as after a great deletion: then all pages are read.
    return ids if len(ids) == number else sample_pages(100.0, number)


def sample_pages(percent: float, number: int) -> list[int]:
    return [customer_id for (customer_id,) in fetch_rows(SAMPLE, [percent, number])]
