"""What a digest reports, read when it is sent. Customers who have objected to profiling are not in it."""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.db.models import Exists, OuterRef

from customers.models import Customer, ScoreRecord
from customers.outreach.contacts import follow_ups_due
from customers.sql import fetch_row, fetch_rows
from events.digest.period import Period
from events.models.alerts import Alert

# So many customers are named on each side; the others are counted.
NAMED = 50

# Records that crossed into the critical band or out of it are few. Of a customer who crossed several times, the first
# and the last of them say whether the period ended on the other side. Those named are the ones with most at risk.
CROSSED = f"""
WITH crossings AS (
    SELECT id, customer_id, score >= %(critical)s AS is_critical, cause
    FROM customers_scorerecord
    WHERE scored_at >= %(begins)s AND scored_at < %(ends)s
        AND (score >= %(critical)s) <> COALESCE(previous_score >= %(critical)s, false)
), moved AS (
    SELECT DISTINCT ON (customer_id) customer_id, is_critical, cause,
        first_value(is_critical) OVER (PARTITION BY customer_id ORDER BY id) AS first_is_critical
    FROM crossings ORDER BY customer_id, id DESC
), ranked AS (
    SELECT customer_id, is_critical, cause = '{ScoreRecord.Cause.RELEASE}' AS by_release,
        count(*) OVER side AS customers,
        count(*) FILTER (WHERE cause = '{ScoreRecord.Cause.RELEASE}') OVER side AS customers_by_release,
        row_number() OVER (PARTITION BY is_critical ORDER BY value_at_risk DESC NULLS LAST, customer_id) AS place
    FROM moved JOIN customers_customer AS customer USING (customer_id)
    WHERE first_is_critical = is_critical AND customer.objected_at IS NULL
    WINDOW side AS (PARTITION BY is_critical)
)
SELECT is_critical, customers, customers_by_release, customer_id, before.score, after.score, by_release
FROM ranked,
LATERAL (
    SELECT previous_score AS score FROM customers_scorerecord AS record
    WHERE record.customer_id = ranked.customer_id AND scored_at >= %(begins)s AND scored_at < %(ends)s
    ORDER BY id LIMIT 1
) AS before,
LATERAL (
    SELECT score FROM customers_scorerecord AS record
    WHERE record.customer_id = ranked.customer_id AND scored_at >= %(begins)s AND scored_at < %(ends)s
    ORDER BY id DESC LIMIT 1
) AS after
WHERE place <= %(named)s ORDER BY is_critical, place
"""

CRITICAL_NOW = """
SELECT count(*), COALESCE(sum(value_at_risk), 0) FROM customers_customer WHERE churn_risk_score >= %s
"""


@dataclass(frozen=True)
class Crossing:
    """A customer's first and last score of the period. ``before`` is None where there was none."""

    customer_id: int
    before: float | None
    after: float
    by_release: bool  # only another model moved it over the threshold


@dataclass(frozen=True)
class Crossings:
    """Customers whose risk crossed the threshold in one direction, and stood there when the period ended."""

    customers: int
    by_release: int
    named: list[Crossing]


@dataclass(frozen=True)
class Contents:
    """The period's crossings; all else is as of now."""

    critical: float  # from which risk on a customer is critical
    entered: Crossings
    left: Crossings
    customers_critical: int
    value_at_risk: Decimal
    open_alerts: int
    follow_ups_due: int


def contents_of(period: Period) -> Contents:
    """Read everything; a pass over the scores of the period."""
    critical = settings.RISK_BANDS[-1]
    values = {"critical": critical, "begins": period.begins, "ends": period.ends, "named": NAMED}
    crossed = fetch_rows(CROSSED, values)
    customers_critical, value_at_risk = fetch_row(CRITICAL_NOW, [critical])
    return Contents(
        critical,
        crossings_of([row for is_critical, *row in crossed if is_critical]),
        crossings_of([row for is_critical, *row in crossed if not is_critical]),
        customers_critical,
        value_at_risk,
        Alert.objects.open().not_objected().count(),
        count_follow_ups_due(),
    )


def crossings_of(rows: list[list[object]]) -> Crossings:
    if not rows:
        return Crossings(0, 0, [])
    customers, by_release, *_ = rows[0]
    return Crossings(customers, by_release, [Crossing(*row[2:]) for row in rows])  # type: ignore[arg-type]


def count_follow_ups_due() -> int:
    """As many as the filter of the list finds."""
    return follow_ups_due().filter(Exists(Customer.objects.not_objected().filter(pk=OuterRef("customer_id")))).count()
