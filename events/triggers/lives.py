"""The lives of a customer id: what the triggers keep of a row that is overwritten, or leaves the table. SQL for
``events/triggers/definitions.py``.

A full reload takes all rows out and puts the same ids in again, with versions from 1. What was noted of a version (a
failure, a score, a former version) is of the life with the same ``arrived_at``, and of no other.
"""

from customers.ml_service.schema import FEATURES
from events.triggers.feed import announce
from events.triggers.sql import CUSTOMERS, OF_CUSTOMERS, VERSION


def unscored(former: str) -> str:
    """Whether no score answers the version in this row: it waits for one, or the customer has objected to any."""
    return f"COALESCE({former}.stale_since, {former}.objected_at) IS NOT NULL"


def keep(former: str, source: str = "") -> str:
    """The statement that keeps the version in the row ``former``, or in each row of ``source``, a FROM by that name."""
    return f"""INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, edited_by, {", ".join(FEATURES)})
    SELECT {former}.customer_id, {former}.arrived_at, {former}.version,
        GREATEST({former}.stale_since, {former}.edited_at), {former}.edited_by,
        {", ".join(f"{former}.{feature}" for feature in FEATURES)}{source};"""


def end_lives(leaving: str) -> str:
    """What waits for its score stands in the row alone, and would go with it. The feed tells who has left.

    With the rights of the owner: a role that may delete customers need not be able to write history.
    """
    return f"""
BEGIN
    {OF_CUSTOMERS}
    {keep("former", f" FROM {leaving} AS former WHERE {unscored('former')}")}
    {announce(leaving)}
    RETURN NULL;
END
"""


# Of an UPDATE of the rows ``former`` to ``changed``.
OVERWRITTEN = f""" FROM (
            SELECT {VERSION} FROM former WHERE {unscored("former")}
            EXCEPT SELECT {VERSION} FROM changed) AS overwritten"""

GONE = "gone"  # the transition table: the rows deleted by the statement
END_LIVES = end_lives(GONE)
END_ALL_LIVES = end_lives(f"@schema@.{CUSTOMERS}")
