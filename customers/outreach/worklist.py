"""The worklist: who calls whom next. Each open item is one customer, taken on by one member of the staff.

A claim locks no customer, so that no edit and no score ever waits for it. What it locks is one row of ``events_turn``,
by the customer's id, and claims alone use these rows: docs/decisions/0038.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from customers.models import Customer, ModelRelease, WorklistItem
from customers.outreach.control import IN_CONTROL, control_group, control_values
from customers.outreach.refusals import REFUSES_CONTACT, standing_refusals
from customers.presentation.bands import BANDS, band
from customers.scoring.failures import with_failure
from customers.sql import execute, fetch_row

# The lowest band in which a customer is offered; what is below belongs to no call list.
LEAST_BAND = BANDS.index("high")
MOST_SNOOZE_DAYS = 365

TURNS = 128
ADD_TURNS = f"""
INSERT INTO events_turn (name) SELECT 'worklist ' || place FROM generate_series(0, {TURNS - 1}) AS place
ON CONFLICT DO NOTHING
"""
# So many claims at the same moment would each find another customer.
CANDIDATES = 100
ATTEMPTS, PAUSE_SECONDS = 50, 0.01

# Neither done nor snoozed for so long that others may take the customer on.
EXPIRED = """GREATEST(item.claimed_at, item.snoozed_until::timestamp AT TIME ZONE %(zone)s)
    < now() - make_interval(hours => %(claim_hours)s)"""

# The index of the value is walked from the top, past all who were dealt with: those of the last days, tens of thousands
# perhaps, are looked up in one hash table, which has to fit into the memory that a statement may have.
PREPARE = "SELECT set_config('work_mem', '64MB', true)"
OFFERED = f"""
    customer.value_at_risk IS NOT NULL AND customer.churn_risk_score >= %(least)s
    AND customer.stale_since IS NULL AND customer.scored_by_id = %(release)s AND customer.objected_at IS NULL
    AND customer.customer_id NOT IN (
        SELECT contact.customer_id FROM customers_contact AS contact
        WHERE contact.at > now() - make_interval(days => %(pause_days)s))
    AND (item.id IS NULL OR {EXPIRED})
    AND (%(control_share)s = 0 OR NOT {IN_CONTROL})
    AND NOT {REFUSES_CONTACT}"""

# How many are offered, and whom this claim has got: none where others hold the turns of all, or have just taken them.
CLAIM = f"""
WITH offered AS MATERIALIZED (
    SELECT customer.customer_id, customer.churn_risk_score, customer.value_at_risk, item.id AS item_id
    FROM customers_customer AS customer
    LEFT JOIN customers_worklistitem AS item ON item.customer_id = customer.customer_id AND item.done_at IS NULL
    WHERE {OFFERED}
    ORDER BY customer.value_at_risk DESC NULLS LAST, customer.customer_id DESC LIMIT {CANDIDATES}
), free AS MATERIALIZED (
    SELECT offered.* FROM offered JOIN events_turn AS turn ON turn.name = 'worklist ' || offered.customer_id %% {TURNS}
    ORDER BY offered.value_at_risk DESC, offered.customer_id DESC LIMIT 1
    FOR UPDATE OF turn SKIP LOCKED
), taken_over AS (
    UPDATE customers_worklistitem AS item
    SET claimed_by = %(by)s, claimed_at = now(), snoozed_until = NULL,
        score = free.churn_risk_score, value_at_risk = free.value_at_risk
    FROM free WHERE item.id = free.item_id AND item.done_at IS NULL AND {EXPIRED}
    RETURNING item.customer_id
), made AS (
    INSERT INTO customers_worklistitem (customer_id, claimed_by, score, value_at_risk)
    SELECT customer_id, %(by)s, churn_risk_score, value_at_risk FROM free WHERE item_id IS NULL
    ON CONFLICT (customer_id) WHERE done_at IS NULL DO NOTHING
    RETURNING customer_id
)
SELECT (SELECT count(*) FROM offered),
    (SELECT customer_id FROM taken_over UNION ALL SELECT customer_id FROM made)
"""

# The oldest of one's own snoozed items whose day has come.
RESUME = f"""
UPDATE customers_worklistitem SET snoozed_until = NULL, claimed_at = now()
WHERE id = (
    SELECT item.id FROM customers_worklistitem AS item JOIN customers_customer AS customer USING (customer_id)
    WHERE item.claimed_by = %(by)s AND item.done_at IS NULL AND item.snoozed_until <= %(today)s
        AND customer.objected_at IS NULL AND NOT {REFUSES_CONTACT}
    ORDER BY item.snoozed_until, item.id LIMIT 1 FOR UPDATE OF item SKIP LOCKED)
RETURNING customer_id
"""


class OthersClaimError(Exception):
    """Customers are offered, but other claims hold them."""


@dataclass(frozen=True)
class OpenItem:
    """An open item with its customer as the row is now, with active release and failure."""

    item: WorklistItem
    customer: Any

    @property
    def is_snoozed(self) -> bool:
        """Whether its day has not come yet."""
        until = self.item.snoozed_until
        return until is not None and until > timezone.localdate()


def claim_next(by: str) -> int | None:
    """Whom this member of the staff calls next, theirs from now on; None when no customer is to be called.

    First those whose snooze has ended, then the highest value at risk of all who are offered. Call it outside of a
    longer transaction: what it locks is held until the end. Raises ``OthersClaimError`` when there are customers to
    call, but the claims of others were always first.
    """
    values = claim_values(by)
    for _attempt in range(ATTEMPTS):
        with transaction.atomic():
            if resumed := fetch_row(RESUME, values):
                return int(resumed[0])
            execute(PREPARE)
            offered, claimed = fetch_row(CLAIM, values)
        if claimed is not None or not offered:
            return claimed  # type: ignore[no-any-return]
        if not execute(ADD_TURNS):  # else these were the first claims of this database
            time.sleep(PAUSE_SECONDS)
    raise OthersClaimError


def claim_values(by: str) -> Mapping[str, Any]:
    """The parameters of the statements above."""
    return {
        "by": by,
        "today": timezone.localdate(),
        "zone": settings.TIME_ZONE,
        "least": settings.RISK_BANDS[LEAST_BAND - 1],
        "release": ModelRelease.objects.active_id(),
        "claim_hours": settings.CLAIM_HOURS,
        "pause_days": settings.CONTACT_PAUSE_DAYS,
        **control_values(control_group()),
    }


def open_items(by: str) -> list[OpenItem]:
    """Those of this member of the staff: snoozes that have ended, the rest by value at risk, then snoozed ones.

    Without customers who have objected to profiling or asked not to be contacted since, or who have left the table.
    """
    items = list(WorklistItem.objects.filter(claimed_by=by, done_at=None))
    refused = standing_refusals().filter(customer_id=OuterRef("pk"))
    customers: Any = with_failure(Customer.objects.with_active_release().not_objected().filter(~Exists(refused)))
    found = customers.in_bulk([item.customer_id for item in items])
    opened = [OpenItem(item, found[item.customer_id]) for item in items if item.customer_id in found]
    return sorted(opened, key=urgency)


def urgency(opened: OpenItem) -> tuple[int, date, float]:
    """The smaller, the further up."""
    until, value = opened.item.snoozed_until, opened.customer.value_at_risk
    place = 1 if until is None else 2 if opened.is_snoozed else 0
    return place, until or date.min, -float(value or 0)


def open_item(by: str, customer_id: int) -> WorklistItem | None:
    """The item by which this member of the staff has taken the customer on."""
    return WorklistItem.objects.filter(claimed_by=by, customer_id=customer_id, done_at=None).first()


def finish(by: str, customer_id: int) -> bool:
    """Note that the item is done; False where it was not theirs, or not open."""
    return finish_all(WorklistItem.objects.filter(claimed_by=by, customer_id=customer_id)) > 0


def finish_all(items: QuerySet[WorklistItem]) -> int:
    """Note that those of them that are open are done; how many these were."""
    return items.filter(done_at=None).update(done_at=Now(), snoozed_until=None)


def snooze(by: str, customer_id: int, until: date) -> bool:
    """Have the customer come back first on that day; False where the item was not theirs, or not open."""
    mine = WorklistItem.objects.filter(claimed_by=by, customer_id=customer_id, done_at=None)
    return mine.update(snoozed_until=until) > 0


def snooze_fault(until: date) -> str:
    """Why this day can't be chosen; empty where it can."""
    today = timezone.localdate()
    if until <= today:
        return "Choose a day after today."
    if until > today + timedelta(days=MOST_SNOOZE_DAYS):
        return f"Choose a day within the next {MOST_SNOOZE_DAYS} days."
    return ""


def has_fallen(item: WorklistItem, score: float | None) -> bool:
    """Whether the score is in a lower band than when the customer was claimed."""
    return item.score is not None and score is not None and BANDS.index(band(score)) < BANDS.index(band(item.score))


def has_passed(item: WorklistItem, score: float | None) -> bool:
    """Whether the score is, besides, so low that the customer would be offered no more."""
    return score is not None and has_fallen(item, score) and BANDS.index(band(score)) < LEAST_BAND
