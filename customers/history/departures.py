"""Where a customer's departures are found: in SQL about ``customers_departure AS departure``."""

from customers.fields import RANGE_OF_IDS
from customers.sql import fetch_rows

# The lives that a row names, one each.
LIVES = "unnest(departure.customer_ids, departure.arrived_ats) AS gone (customer_id, arrived_at)"
# As the index has it: the ids less one.
IDS = RANGE_OF_IDS.format("departure.customer_ids")

OF_CUSTOMER = f"""
SELECT departure.left_at, gone.arrived_at FROM customers_departure AS departure, {LIVES}
WHERE {IDS} @> %(customer)s::bigint - 1 AND gone.customer_id = %(customer)s
ORDER BY departure.left_at DESC
"""


def departures_of(customer_id: int) -> list[dict[str, object]]:
    """When this customer left, newest first, and the beginning of each life that ended then."""
    rows = fetch_rows(OF_CUSTOMER, {"customer": customer_id})
    return [{"left_at": left_at, "arrived_at": arrived_at} for left_at, arrived_at in rows]
