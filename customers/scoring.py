"""The sole writer of scores: claim stale customers, predict, write where nothing has changed meanwhile."""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from customers.claims import Claim, CustomerBusyError, claim_one, claim_stale
from customers.ml_service import Forest, InputError
from customers.models import ModelRelease
from customers.releases import active_model

log = logging.getLogger("vigilpay.scoring")

# A model release that lands between claim and write is rare; several in a row are somebody at work on the releases.
ANALYZE_ATTEMPTS = 3

TAKE_RIGHTS = "SELECT set_config('vigilpay.scorer', 'on', true)"
TAKE_RIGHTS_IN_A_HURRY = f"{TAKE_RIGHTS}, set_config('synchronous_commit', 'off', true)"
GIVE_RIGHTS_BACK = "SELECT set_config('vigilpay.scorer', 'off', true)"

# Nothing is written where the row has moved on, or where another model has become active since the claim.
WRITE = """
WITH stored AS (
    UPDATE customers_customer AS customer
    SET churn_risk_score = scored.score, scored_version = scored.version, scored_by_id = %(release)s,
        scored_at = clock_timestamp(), stale_since = NULL
    FROM unnest(%(ids)s::bigint[], %(versions)s::bigint[], %(since)s::timestamptz[], %(previous)s::float8[],
                %(scores)s::float8[]) AS scored (customer_id, version, since, previous, score)
    WHERE customer.customer_id = scored.customer_id AND customer.version = scored.version
      AND %(release)s = (SELECT max(id) FROM customers_modelrelease)
    RETURNING customer.customer_id, scored.score, scored.previous, scored.version, scored.since, customer.scored_at
)
INSERT INTO customers_scorerecord
    (customer_id, score, previous_score, version, stale_since, scored_at, scored_by_id)
SELECT customer_id, score, previous, version, since, scored_at, %(release)s FROM stored
"""


@dataclass(frozen=True)
class Batch:
    """What one pass did: rows claimed, rows whose score was stored, states that the model has no answer to."""

    claimed: int
    stored: int
    refused: frozenset[str] = frozenset()


def rescore_batch(limit: int | None = None, passing_over: Collection[str] = ()) -> Batch:
    """Score up to ``limit`` stale customers, longest stale first, and commit.

    Rows that somebody is editing at this moment are left out: they will be stale again, or still. So are those in
    ``passing_over``: a caller that goes on names what was refused there, so that it holds up nobody. Raises
    ``ModelError`` when there is no usable model; nothing is written then and the rows stay stale.
    """
    forest, release = active_model()
    with transaction.atomic(), connection.cursor() as cursor, scorer_rights(cursor, wait_for_disk=False):
        claim = claim_stale(cursor, release, limit or settings.DRAIN_BATCH_ROWS, passing_over)
        scorable, scores = predict(forest, claim)
        stored = store(cursor, scorable, scores, release) if len(scorable) else 0
        return Batch(len(claim), stored, refused=claim.states - scorable.states)


def analyze(customer_id: int) -> float:
    """Score one customer now, store the score, and return it: a probability in [0, 1].

    Raises ``Customer.DoesNotExist``; ``CustomerBusyError`` when the row stays locked, or models keep changing;
    ``ModelError`` when there is no usable model; ``InputError`` when the model has no answer to these values.
    """
    for _ in range(ANALYZE_ATTEMPTS):
        score = analyze_once(customer_id)
        if score is not None:
            return score
    raise CustomerBusyError("The active model changed again and again while this customer was being scored.")


def analyze_once(customer_id: int) -> float | None:
    """As ``analyze``; None when another model became active meanwhile, so that nothing was written."""
    forest, release = active_model()
    with transaction.atomic(), connection.cursor() as cursor, scorer_rights(cursor):
        claim = claim_one(cursor, customer_id)
        scores = score_all(forest, claim)
        return scores[0] if store(cursor, claim, scores, release) else None


def predict(forest: Forest, claim: Claim) -> tuple[Claim, list[float]]:
    """Scores of the claimed rows. A row that the model can't score is left out, so that it holds up no other."""
    try:
        return claim, score_all(forest, claim)
    except InputError as error:
        first = claim.ids[error.row or 0]
        log.warning(
            "The model has no answer to customer %s, who stays stale like any other such: %s", first, error.message
        )
        scorable = claim.only([i for i in range(len(claim)) if can_score(forest, claim.features[i])])
        return scorable, score_all(forest, scorable)


def score_all(forest: Forest, claim: Claim) -> list[float]:
    return forest.predict_tuples(claim.features).tolist() if len(claim) else []


def can_score(forest: Forest, features: tuple[Any, ...]) -> bool:
    """Whether the model has an answer to this one row."""
    try:
        forest.predict_tuples([features])
    except InputError:
        return False
    return True


def store(cursor: CursorWrapper, claim: Claim, scores: Sequence[float], release: ModelRelease) -> int:
    """Write scores and history where nothing has changed since the claim; return how many were written."""
    values: dict[str, Any] = {
        "ids": claim.ids,
        "versions": claim.versions,
        "since": claim.since,
        "previous": claim.previous,
        "scores": list(scores),
        "release": release.pk,
    }
    cursor.execute(WRITE, values)
    stored: int = cursor.rowcount
    return stored


@contextmanager
def scorer_rights(cursor: CursorWrapper, *, wait_for_disk: bool = True) -> Iterator[None]:
    """Let this transaction write the score columns, which the guard trigger keeps from everybody else.

    The right ends with the transaction, or here if another one surrounds ours; an exception rolls it back. Without
    ``wait_for_disk`` the commit does not: a score lost in a crash leaves its row stale, as it was.
    """
    cursor.execute(TAKE_RIGHTS if wait_for_disk else TAKE_RIGHTS_IN_A_HURRY)
    yield
    if connection.savepoint_ids:
        cursor.execute(GIVE_RIGHTS_BACK)
