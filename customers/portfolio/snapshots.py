"""The daily snapshot of the portfolio: how many customers each group has, their risk bands, and their value at risk."""

from datetime import date, datetime, timedelta
from itertools import pairwise

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from customers import turns
from customers.models import PortfolioSnapshot
from customers.sql import execute

Dimension = PortfolioSnapshot.Dimension

# Classes of balance begin here, in the bank's currency; below the first come a class from 0 on, and one of no balance.
BALANCE_EDGES = (50_000, 100_000, 150_000)
NO_BALANCE = "none"
BALANCE_GROUPS = [NO_BALANCE, "0", *map(str, BALANCE_EDGES)]

# A comparison with a day that has no snapshot is one with the last snapshot before it, of so many days at most.
GAP_DAYS = 3
# One process at a time takes a snapshot.
TURN = "portfolio snapshot"

# One statement, which sees all customers at one moment: a pass over them that leaves some hundred groups, and a pass
# over these for each dimension. Nothing is written where the day has its snapshot already.
TAKE = """
WITH finest AS MATERIALIZED (
    SELECT geography, num_of_products, is_active_member,
        CASE WHEN balance > 0 THEN width_bucket(balance, %(edges)s::numeric[]) ELSE -1 END AS balance_class,
        width_bucket(churn_risk_score, %(thresholds)s::float8[]) AS band,
        count(*) AS customers, sum(value_at_risk) AS value_at_risk
    FROM customers_customer GROUP BY 1, 2, 3, 4, 5
), grouped AS (
    SELECT GROUPING(geography, num_of_products, is_active_member, balance_class) AS without,
        geography, num_of_products, is_active_member, balance_class, band,
        sum(customers)::bigint AS customers, sum(value_at_risk) AS value_at_risk
    FROM finest
    GROUP BY GROUPING SETS ((band), (geography, band), (num_of_products, band), (is_active_member, band),
        (balance_class, band))
), named AS (
    SELECT CASE without WHEN 7 THEN 'country' WHEN 11 THEN 'products' WHEN 13 THEN 'activity' WHEN 14 THEN 'balance'
            ELSE 'all' END AS dimension,
        CASE without WHEN 7 THEN geography WHEN 11 THEN num_of_products::text
            WHEN 13 THEN CASE WHEN is_active_member THEN 'active' ELSE 'inactive' END
            WHEN 14 THEN (%(balance_groups)s::text[])[balance_class + 2] ELSE '' END AS "group",
        band, customers, value_at_risk
    FROM grouped
)
INSERT INTO customers_portfoliosnapshot
    (day, taken_at, dimension, "group", customers, bands, thresholds, value_at_risk)
SELECT %(day)s, %(at)s, dimension, "group", sum(customers),
    ARRAY(SELECT COALESCE(sum(it.customers), 0)::bigint
          FROM generate_series(0, cardinality(%(thresholds)s::float8[])) AS place
          LEFT JOIN named AS it
              ON it.band = place AND it.dimension = named.dimension AND it."group" = named."group"
          GROUP BY place ORDER BY place),
    %(thresholds)s::float8[], COALESCE(sum(value_at_risk), 0)
FROM named GROUP BY dimension, "group"
"""


def take_snapshot(*, replace: bool = False, at: datetime | None = None) -> bool:
    """Store the snapshot of today; False when there is one already, or another process takes it just now.

    ``replace``: store a new one in its place. Either all groups of a day are stored or none. ``at`` is the moment that
    counts as now. Without customers there is nothing to store.
    """
    at = at or timezone.now()
    day = timezone.localdate(at)
    with transaction.atomic():
        turns.add(TURN)
        if not turns.take_if_free(TURN):
            return False
        of_today = PortfolioSnapshot.objects.filter(day=day)
        if replace:
            of_today.delete()
        elif of_today.exists():
            return False
        values = {"day": day, "at": at, "thresholds": list(settings.RISK_BANDS), "edges": list(BALANCE_EDGES)}
        return execute(TAKE, {**values, "balance_groups": BALANCE_GROUPS}) > 0


def prune_snapshots(before: datetime) -> int:
    """Delete the snapshots of earlier days; how many groups that was."""
    return PortfolioSnapshot.objects.filter(day__lt=timezone.localdate(before)).delete()[0]


def snapshot_of(day: date | None) -> list[PortfolioSnapshot]:
    """All groups of that day, those of a dimension in their own order; none where there is no snapshot."""
    return sorted(PortfolioSnapshot.objects.filter(day=day), key=place_of) if day else []


def place_of(group: PortfolioSnapshot) -> tuple[int, int, str]:
    dimension, name = group.dimension, group.group
    place = int(name) if dimension == Dimension.PRODUCTS else 0
    if dimension == Dimension.BALANCE:
        place = BALANCE_GROUPS.index(name)
    return Dimension.values.index(dimension), place, name


def latest_day() -> date | None:
    """The day of the newest snapshot."""
    return PortfolioSnapshot.objects.order_by("-day").values_list("day", flat=True).first()


def day_before(day: date, days: int) -> date | None:
    """The day of the snapshot to compare with: so many days before, or a few more where that day has none."""
    wanted = day - timedelta(days=days)
    found = PortfolioSnapshot.objects.filter(day__range=(wanted - timedelta(days=GAP_DAYS), wanted))
    return found.order_by("-day").values_list("day", flat=True).first()


def whole_portfolio(since: date) -> list[PortfolioSnapshot]:
    """All customers together on each day from then on, the oldest first."""
    return list(PortfolioSnapshot.objects.filter(dimension=Dimension.ALL, day__gte=since).order_by("day"))


def bounds_of_balance(group: str) -> tuple[int | None, int | None]:
    """From where a class of balances reaches, and up to where, without that amount; None: no bound."""
    upper = dict(pairwise([0, *BALANCE_EDGES]))
    return (None, None) if group == NO_BALANCE else (int(group), upper.get(int(group)))
