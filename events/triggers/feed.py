"""What the triggers add to the feed of changed scores: arrays of ids, so that a nightly reload of a million customers
leaves some thousand rows. SQL for ``events/triggers/definitions.py``; docs/decisions/0034 says why.
"""

from customers.scoring.marks import ARRAY_IDS
from events.triggers.sql import ORIGIN, RECORDS, Trigger, of_table


def announce(source: str) -> str:
    """The statement that names the customers of ``source``, what stands behind FROM."""
    return f"""INSERT INTO @schema@.customers_scorechange (customer_ids)
    SELECT array_agg(customer_id) FROM (
        SELECT customer_id, (row_number() OVER () - 1) / {ARRAY_IDS} AS piece FROM {source}) AS numbered
    GROUP BY piece;"""


def announce_one(customer_id: str) -> str:
    """The statement that names one customer."""
    return f"INSERT INTO @schema@.customers_scorechange (customer_ids) VALUES (ARRAY[{customer_id}]);"


# Who had a score before an UPDATE and has none under that id behind it.
LOST = announce("""(
            SELECT customer_id FROM former WHERE churn_risk_score IS NOT NULL
            EXCEPT SELECT customer_id FROM changed WHERE churn_risk_score IS NOT NULL) AS lost""")

# A score that is stored, by whichever version of the code. In front of the alerts, by its name: what those do when they
# fail is undone alone.
ANNOUNCED = Trigger(
    name="vigilpay_6_announced",
    event="AFTER INSERT",
    table=RECORDS,
    level="STATEMENT",
    transition="\nREFERENCING NEW TABLE AS stored",
    fires=ORIGIN,
    with_rights_of_owner=True,
    body=f"""
BEGIN
    {of_table(RECORDS)}
    {announce("stored")}
    RETURN NULL;
END
""",
)
