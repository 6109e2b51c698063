"""The look: whether there is anything to score now."""

from django.db import connection

from customers.scoring.marks import LOOK

ANYTHING_TO_DO = f"SELECT NOT EXISTS (SELECT FROM events_pause) AND ({LOOK})"


def anything_to_do() -> bool:
    """Whether customers may be stale and scoring is not paused; some 0.1 ms, whatever the number of customers."""
    with connection.cursor() as cursor:
        cursor.execute(ANYTHING_TO_DO)
        return bool(cursor.fetchone()[0])
