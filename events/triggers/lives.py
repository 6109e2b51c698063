"""The lives of a customer id: what the triggers keep of a row that is overwritten, or leaves the table. SQL for
``events/triggers/definitions.py``.

A full reload takes all rows out and puts the same ids in again, with versions from 1. What was noted of a version (a
failure, a score, a former version) is of the life with the same ``arrived_at``, and of no other.
"""

from customers.ml_service.schema import FEATURES
from events.triggers.feed import announce
from events.triggers.sql import CUSTOMERS, OF_CUSTOMERS, VERSION

LIVES_IN_ARRAY = 120  # of two arrays in one row, which PostgreSQL stores without compressing it


def unscored(former: str) -> str:
    """Whether no score answers the version in this row: it waits for one, or the customer has objected to any."""
    return f"COALESCE({former}.stale_since, {former}.objected_at) IS NOT NULL"


def keep(former: str, source: str = "") -> str:
    """The statement that keeps the version in the row ``former``, or in each row of ``source``, a FROM by that name."""
    return f"""INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, objected_at, edited_by, {", ".join(FEATURES)})
    SELECT {former}.customer_id, {former}.arrived_at, {former}.version,
        GREATEST({former}.stale_since, {former}.edited_at), {former}.objected_at, {former}.edited_by,
        {", ".join(f"{former}.{feature}" for feature in FEATURES)}{source};"""


def end(source: str) -> str:
    """The statement that notes that the lives of ``source``, what stands behind FROM, have ended.

    By the clock, as they began. In the order of ids, so that an index finds a customer by the ends of an array.
    """
    return f"""INSERT INTO @schema@.customers_departure (left_at, customer_ids, arrived_ats)
    SELECT clock_timestamp(), array_agg(customer_id ORDER BY customer_id), array_agg(arrived_at ORDER BY customer_id)
    FROM (SELECT customer_id, arrived_at, (row_number() OVER (ORDER BY customer_id) - 1) / {LIVES_IN_ARRAY} AS piece
        FROM {source}) AS numbered
    GROUP BY piece;"""


def end_lives(leaving: str) -> str:
    """What waits for its score stands in the row alone, and would go with it. The feed tells who has left.

    With the rights of the owner: a role that may delete customers need not be able to write history.
    """
    return f"""
BEGIN
    {OF_CUSTOMERS}
    {keep("former", f" FROM {leaving} AS former WHERE {unscored('former')}")}
    {end(leaving)}
    {announce(leaving)}
    RETURN NULL;
END
"""


# Of an UPDATE of the rows ``former`` to ``changed``.
OVERWRITTEN = f""" FROM (
            SELECT {VERSION} FROM former WHERE {unscored("former")}
            EXCEPT SELECT {VERSION} FROM changed) AS overwritten"""
RENAMED = end("""(
            SELECT customer_id, arrived_at FROM former
            EXCEPT SELECT customer_id, arrived_at FROM changed) AS renamed""")

# Of one row, where the trigger is one of rows.
END_ONE = """IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND NEW.customer_id <> OLD.customer_id THEN
        INSERT INTO @schema@.customers_departure (left_at, customer_ids, arrived_ats)
        VALUES (clock_timestamp(), ARRAY[OLD.customer_id], ARRAY[OLD.arrived_at]);
    END IF;"""

GONE = "gone"  # the transition table: the rows deleted by the statement
END_LIVES = end_lives(GONE)
END_ALL_LIVES = end_lives(f"@schema@.{CUSTOMERS}")
