"""Scoring many customers now, whom a program names: in short transactions that wait for no editor."""

from collections.abc import Iterable
from time import monotonic

from django.conf import settings
from django.db import DatabaseError

from customers.ml_service import InputError
from customers.models import Customer, ScoreRecord
from customers.releases.active import active_model
from customers.scoring.claims import CustomerBusyError, CustomerObjectedError, claim_free
from customers.scoring.contention import LOCK_TIMEOUT, lost_to_an_editor
from customers.scoring.failures import describe_refusal, explain
from customers.scoring.scorer import analyze, as_scorer
from customers.scoring.writing import refuses_a_row, store

# So many are held at once: an editor of one of them waits some milliseconds.
BATCH_ROWS = 100

Outcome = float | Customer.DoesNotExist | CustomerBusyError | CustomerObjectedError | InputError


def analyze_many(customer_ids: Iterable[int]) -> dict[int, Outcome]:
    """Score these customers and store the scores; of each the score, a probability in [0, 1], or why there is none.

    Customers whom an open edit holds are left until all others are done, and then waited for: as long for all of them
    as ``analyze`` waits for one. Raises ``ModelError`` when there is no usable model.
    """
    ids = sorted(set(customer_ids))
    outcomes: dict[int, Outcome] = {}
    for first in range(0, len(ids), BATCH_ROWS):
        outcomes |= analyze_free(ids[first : first + BATCH_ROWS])
    outcomes |= unknown([it for it in ids if it not in outcomes])
    ends = monotonic() + settings.ANALYZE_LOCK_SECONDS
    for customer_id in ids:
        if customer_id not in outcomes:
            outcomes[customer_id] = analyze_held(customer_id, ends - monotonic())
    return outcomes


def analyze_free(ids: list[int]) -> dict[int, Outcome]:
    """Those of these whom no other session holds. Of none where the batch as a whole could not be stored."""
    forest, release = active_model()
    try:
        with as_scorer() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout TO '{LOCK_TIMEOUT}'")
            claim, answers, refusals = explain(forest, claim_free(cursor, ids))
            stored = store(cursor, claim, answers, release, ScoreRecord.Cause.ANALYZE).rows if len(claim) else 0
    except DatabaseError as error:
        if not (lost_to_an_editor(error) or refuses_a_row(error)):
            raise
        return {}
    scores = dict(zip(claim.ids, answers.scores.tolist(), strict=True))
    # Their rows are held: where one was not stored, another model has become active, and none was.
    return {it.customer_id: it.unknown or InputError(it.answer or it.error) for it in refusals} | (
        scores if stored == len(claim) else {}
    )


def unknown(ids: list[int]) -> dict[int, Outcome]:
    """Of those of these who are not in the table, that they are not."""
    known = set(Customer.objects.filter(pk__in=ids).values_list("pk", flat=True)) if ids else set()
    return {it: Customer.DoesNotExist(f"There is no customer {it}.") for it in ids if it not in known}


def analyze_held(customer_id: int, seconds: float) -> Outcome:
    """One who was left, waiting no longer than this for an open edit."""
    try:
        return analyze(customer_id, seconds=seconds)
    except (Customer.DoesNotExist, CustomerBusyError, CustomerObjectedError, InputError) as reason:
        return reason
    except DatabaseError as error:
        if not refuses_a_row(error):
            raise
        return InputError(describe_refusal(error))
