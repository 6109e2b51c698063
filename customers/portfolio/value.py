"""What the bank would expect to lose: the sum of value at risk, by band of risk."""

from decimal import Decimal

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from customers.presentation.bands import BANDS

# One pass over the index by value at risk, which has the score as well.
SUM = """
SELECT width_bucket(churn_risk_score, %s::float8[]), sum(value_at_risk)
FROM customers_customer WHERE churn_risk_score IS NOT NULL GROUP BY 1
"""


def sum_value_at_risk(cursor: CursorWrapper) -> list[Decimal]:
    """The sum in each band of ``settings.RISK_BANDS``, lowest first, to the cent, as the customers are at this moment.

    Customers without a score, and those who have objected to being scored, have no value at risk.
    """
    sums = [Decimal("0.00")] * len(BANDS)
    cursor.execute(SUM, [list(settings.RISK_BANDS)])
    for band, value in cursor.fetchall():
        sums[band] = value or sums[band]
    return sums
