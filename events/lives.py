"""The lives of a customer id: what the triggers do when a row comes into the table, and when one leaves it. SQL for
``events/triggers.py``.

A full reload takes all rows out and puts the same ids in again, with versions from 1. What was noted of a version (a
failure, a score, a former version) is of the life with the same ``arrived_at``, and of no other.
"""

from customers.ml_service.schema import FEATURES

# A changed id is an arrival, too: the new id may have had customers before. The clock and not the statement's time: one
# statement, a CALL, may reload twice.
BEGIN_LIFE = """
BEGIN
    NEW.arrived_at := CASE WHEN NEW.customer_id = OLD.customer_id THEN OLD.arrived_at ELSE clock_timestamp() END;
    RETURN NEW;
END
"""


def keep(former: str, source: str = "") -> str:
    """The statement that keeps the version in the row ``former``, or in each row of ``source``, a FROM by that name."""
    return f"""INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, edited_by, {", ".join(FEATURES)})
    SELECT {former}.customer_id, {former}.arrived_at, {former}.version,
        GREATEST({former}.stale_since, {former}.edited_at), {former}.edited_by,
        {", ".join(f"{former}.{feature}" for feature in FEATURES)}{source};"""


def end_lives(leaving: str) -> str:
    """What waits for its score stands in the row alone, and would go with it.

    With the rights of the owner, for who may delete customers need not be able to write history: so it must not serve
    a table of the editor's own.
    """
    return f"""
BEGIN
    IF TG_RELID <> '@schema@.customers_customer'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: history is kept of customers alone';
    END IF;
    {keep("former", f" FROM {leaving} AS former WHERE former.stale_since IS NOT NULL")}
    RETURN NULL;
END
"""


GONE = "gone"  # the transition table: the rows deleted by the statement
END_LIVES = end_lives(GONE)
END_ALL_LIVES = end_lives("@schema@.customers_customer")
