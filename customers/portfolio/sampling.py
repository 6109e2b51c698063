"""Some customers, chosen at random, for a price that hardly grows with their number."""

from django.db import connection

ESTIMATE = "SELECT reltuples FROM pg_class WHERE oid = 'customers_customer'::regclass"

# SYSTEM reads whole pages, whose rows are neighbours: so many more are read than wanted, and some of each taken.
SAMPLE = "SELECT customer_id FROM customers_customer TABLESAMPLE SYSTEM (%s) ORDER BY random() LIMIT %s"
READ_TIMES = 20


def random_ids(number: int) -> list[int]:
    """Ids of ``number`` customers, or of all when there are no more."""
    ids = draw(number, percent=enough_pages(number))
    # The estimate was too high, as after a great deletion: then all pages are read.
    return ids if len(ids) == number else draw(number, percent=100.0)


def enough_pages(number: int) -> float:
    with connection.cursor() as cursor:
        cursor.execute(ESTIMATE)
        rows = cursor.fetchone()[0]
    # -1 or 0 rows: nobody has ever counted.
    return min(100.0, 100.0 * READ_TIMES * number / rows) if rows > 0 else 100.0


def draw(number: int, *, percent: float) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(SAMPLE, [percent, number])
        return [row[0] for row in cursor.fetchall()]
