"""One step of shadow scoring: a few customers are read, scored by the proposed model, and stored apart.

Customers are read without locks, and their rows are never written: editors and drains wait for nothing. What has become
of a customer meanwhile the row of the shadow score says, by life and version: one that answers former values is used
nowhere. docs/decisions/0053-shadow-scoring.md
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models.functions import Now
from django.utils import timezone

from customers import turns
from customers.ml_service import Explained, Forest
from customers.ml_service.schema import FEATURES
from customers.models import LARGEST_CUSTOMER_ID, ShadowRun
from customers.scoring.claims import Claim
from customers.scoring.contention import LOCK_TIMEOUT
from customers.scoring.failures import explain
from customers.scoring.writing import COMPUTED, IN_SHARE, computed

log = logging.getLogger("vigilpay.shadow")

# The job's, for as long as it runs; each step holds the row as well, so that an erasure waits for its end.
TURN = "shadow"

STEP_ROWS = 128  # customers in one step: some 20 ms of a core, and one block of the explainer
PASS_ROWS = 4096  # customers that one step of a pass looks at
# Below, rows are explained one by one, with other rounding than the drains' batches have: such a batch is filled up.
FEWEST_ROWS = 16
# Changes are noted as they are scored; a pass finds what was not, as after a trigger was disabled.
PASS_EVERY = timedelta(hours=1)

# An objection deletes shadow scores in the editor's own transaction: whatever it holds, this job gives way.
HURRY = f"""
SELECT set_config('synchronous_commit', 'off', true), set_config('jit', 'off', true),
    set_config('lock_timeout', '{LOCK_TIMEOUT}', true)
"""

TAKE = """
WITH waiting AS (
    SELECT id, sum(cardinality(customer_ids)) OVER (ORDER BY id) AS customers, row_number() OVER (ORDER BY id) AS place
    FROM (SELECT id, customer_ids FROM customers_shadowwait ORDER BY id LIMIT %(rows)s) AS oldest
)
DELETE FROM customers_shadowwait WHERE id IN (SELECT id FROM waiting WHERE customers <= %(rows)s OR place = 1)
RETURNING customer_ids
"""

READ = f"""
SELECT customer_id, version, {", ".join(FEATURES)}, arrived_at FROM customers_customer
WHERE customer_id = ANY (%s::bigint[]) AND objected_at IS NULL ORDER BY customer_id
"""

# Of customers who have not been edited, or objected, since they were read.
STORE = f"""
INSERT INTO customers_shadowscore AS shadow
    (customer_id, run_id, arrived_at, version, score, contributions, reason_codes, scored_at)
SELECT given.customer_id, %(run)s, life.arrived_at, given.version, given.score, given.parts, given.codes,
    clock_timestamp()
FROM ({COMPUTED}) AS given
JOIN unnest(%(ids)s::bigint[], %(arrivals)s::timestamptz[]) AS life (customer_id, arrived_at) USING (customer_id)
JOIN customers_customer AS customer ON customer.customer_id = given.customer_id
    AND customer.arrived_at = life.arrived_at AND customer.version = given.version AND customer.objected_at IS NULL
ON CONFLICT (customer_id) DO UPDATE SET run_id = excluded.run_id, arrived_at = excluded.arrived_at,
    version = excluded.version, score = excluded.score, contributions = excluded.contributions,
    reason_codes = excluded.reason_codes, scored_at = excluded.scored_at
"""
FORGET = "DELETE FROM customers_shadowscore WHERE customer_id = ANY (%s::bigint[])"
# Few: an index has the customers who have objected.
FORGET_OBJECTORS = """
DELETE FROM customers_shadowscore WHERE customer_id IN (
    SELECT customer_id FROM customers_customer WHERE objected_at IS NOT NULL)
"""

LACKING = f"""customer.objected_at IS NULL AND {IN_SHARE.format("customer.customer_id", "%(share)s")} AND NOT EXISTS (
    SELECT FROM customers_shadowscore AS shadow
    WHERE shadow.customer_id = customer.customer_id AND shadow.run_id = %(run)s
        AND shadow.arrived_at = customer.arrived_at AND shadow.version = customer.version)"""
# One step of a pass: the last customer it looked at, or none; and arrays of those to be scored. Scores of customers who
# have left the table go: also those beyond the last one.
LOOK_ON = f"""
WITH looked AS MATERIALIZED (
    SELECT customer_id, arrived_at, version, objected_at FROM customers_customer
    WHERE customer_id > %(after)s ORDER BY customer_id LIMIT %(rows)s
), lacking AS (
    SELECT customer_id, (row_number() OVER (ORDER BY customer_id) - 1) / {STEP_ROWS} AS piece FROM looked AS customer
    WHERE {LACKING}
), noted AS (
    INSERT INTO customers_shadowwait (customer_ids)
    SELECT array_agg(customer_id ORDER BY customer_id) FROM lacking GROUP BY piece ORDER BY piece
), gone AS (
    DELETE FROM customers_shadowscore AS shadow
    WHERE customer_id > %(after)s
        AND customer_id <= COALESCE((SELECT max(customer_id) FROM looked), {LARGEST_CUSTOMER_ID})
        AND NOT EXISTS (
            SELECT FROM looked
            WHERE looked.customer_id = shadow.customer_id AND looked.arrived_at = shadow.arrived_at)
)
SELECT max(customer_id) FROM looked
"""
# At the end of a pass, when all it has noted are scored: whom the model refuses.
COUNT_LACKING = f"SELECT count(*) FROM customers_customer AS customer WHERE {LACKING}"


@dataclass(frozen=True)
class Step:
    """What one step did. Without ``more`` there is nothing left to do for now."""

    scored: int = 0
    more: bool = field(default=True, compare=False)


@transaction.atomic
def next_step(run: ShadowRun, forest: Forest) -> Step:
    """Score the customers that wait longest, or go on with the pass through all of them where none waits."""
    with connection.cursor() as cursor:
        cursor.execute(HURRY)
        turns.wait_for(TURN)
        cursor.execute(TAKE, {"rows": STEP_ROWS})
        if ids := sorted({customer_id for (array,) in cursor.fetchall() for customer_id in array}):
            return Step(score(cursor, run, forest, ids))
        run.refresh_from_db(fields=["swept_to", "swept_at"])
        if run.swept_to is None:
            return Step(more=False)
        look_on(cursor, run, run.swept_to)
    return Step()


def score(cursor: CursorWrapper, run: ShadowRun, forest: Forest, ids: list[int]) -> int:
    """Score these customers and store the scores, in place of former ones; how many were stored.

    Raises ``ModelError`` when it is the model that fails.
    """
    cursor.execute(READ, [ids])
    rows = cursor.fetchall()
    arrivals: dict[int, datetime] = {row[0]: row[-1] for row in rows}
    cursor.execute(FORGET, [[it for it in ids if it not in arrivals]])
    claim, answers = explained(forest, Claim.from_rows([row[:-1] for row in rows]))
    if not len(claim):
        return 0
    values: dict[str, Any] = {"run": run.pk, "arrivals": [arrivals[it] for it in claim.ids]}
    cursor.execute(STORE, {**computed(claim, answers), **values})
    return int(cursor.rowcount)


def explained(forest: Forest, claim: Claim) -> tuple[Claim, Explained]:
    """Those whom the model can score, and their scores and reasons as a batch of a drain has them."""
    times = -(-FEWEST_ROWS // max(1, len(claim)))
    filled = claim.only([*range(len(claim))] * times)
    scorable, answers, _ = explain(forest, filled)
    rows = len(scorable) // times
    return scorable.only([*range(rows)]), answers.only([*range(rows)])


def look_on(cursor: CursorWrapper, run: ShadowRun, after: int) -> None:
    """Note whose score is missing, or of former values, among the next few thousand customers; none left ends it."""
    of_run = {"share": run.share, "run": run.pk}
    cursor.execute(LOOK_ON, {**of_run, "after": after, "rows": PASS_ROWS})
    (last,) = cursor.fetchone()
    state: dict[str, Any] = {"swept_to": last}
    if last is None:
        cursor.execute(COUNT_LACKING, of_run)
        (state["unscored"],) = cursor.fetchone()
        state["swept_at"] = Now()
    ShadowRun.objects.filter(pk=run.pk).update(**state)


def begin_pass_if_due(run: ShadowRun) -> None:
    """Have all customers looked at again, some time after the last pass; and forget those who have objected."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET_OBJECTORS)
    if run.swept_to is None and run.swept_at is not None and run.swept_at < timezone.now() - PASS_EVERY:
        ShadowRun.objects.filter(pk=run.pk).update(swept_to=0)
