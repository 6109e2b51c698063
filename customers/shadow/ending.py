"""What is left of a run that has ended is deleted in small steps, once no drain can take it over any more."""

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from customers import turns
from customers.models import ModelRelease, ShadowRun, ShadowWait
from customers.scoring.marks import FOUND, IS_INTACT, SWEEP
from customers.shadow.batches import HURRY, TURN
from customers.sql import fetch_row

CLEAR_ROWS = 2000
CLEAR = f"""
WITH going AS (
    DELETE FROM customers_shadowscore WHERE customer_id IN (
        SELECT customer_id FROM customers_shadowscore
        WHERE customer_id > %(after)s AND run_id = ANY (%(runs)s::bigint[]) ORDER BY customer_id LIMIT {CLEAR_ROWS})
    RETURNING customer_id
) SELECT max(customer_id), count(*) FROM going
"""
# A drain may still meet customers of a former model: the sweep that a release begins, or what it has found.
CUSTOMERS_FOLLOW = f"""
SELECT NOT {IS_INTACT} OR EXISTS (SELECT FROM customers_stalemark WHERE kind IN ({FOUND}, {SWEEP}))
"""


def ended_runs() -> QuerySet[ShadowRun]:
    """Those whose scores may go: not those that the drains are about to take over."""
    ended = ShadowRun.objects.filter(is_on=False, cleared_at=None)
    active = ModelRelease.objects.active()
    if active is not None and fetch_row(CUSTOMERS_FOLLOW)[0]:
        return ended.exclude(fingerprint=active.fingerprint)
    return ended


@transaction.atomic
def clear_step(runs: list[int], after: int) -> int | None:
    """Delete the next few scores of these runs; after which customer to go on, None when all are gone."""
    with connection.cursor() as cursor:
        cursor.execute(HURRY)
        turns.wait_for(TURN)
        cursor.execute(CLEAR, {"after": after, "runs": runs})
        last, cleared = cursor.fetchone()
    if cleared == CLEAR_ROWS:
        return int(last)
    ShadowRun.objects.filter(pk__in=runs).update(cleared_at=Now(), movers=[])
    if not ShadowRun.objects.filter(is_on=True).exists():
        ShadowWait.objects.all().delete()
    return None
