"""The sole writer of scores: claim stale customers, predict, write where nothing has changed meanwhile."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError, InternalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg.errors import RaiseException

from customers import failures, marks
from customers.claims import Claim, CustomerBusyError, claim_next, claim_one
from customers.failures import Refusal, explain, in_words
from customers.ml_service import Explained, Forest
from customers.ml_service.reasons import TOP, top_codes
from customers.ml_service.schema import FEATURES
from customers.models import ModelRelease, ScoreRecord
from customers.releases import ReleaseMovedOnError, active_model, model_at_hand

log = logging.getLogger("vigilpay.scoring")

# A model release that lands between claim and write is rare; several in a row are somebody at work on the releases.
ANALYZE_ATTEMPTS = 3

# A real holds seven digits; what is beyond them would only be sent and thrown away.
CONTRIBUTION_DIGITS = 8

# Compiling a statement would take longer than running it: the planner takes each mark for a share of the table.
TAKE_RIGHTS = "SELECT set_config('vigilpay.scorer', 'on', true), set_config('jit', 'off', true)"
# A worker that is frozen in the middle of a batch would hold its rows for ever: PostgreSQL ends its session instead.
TAKE_RIGHTS_IN_A_HURRY = f"""{TAKE_RIGHTS}, set_config('synchronous_commit', 'off', true),
    set_config('idle_in_transaction_session_timeout', '15s', true)"""
GIVE_RIGHTS_BACK = "SELECT set_config('vigilpay.scorer', 'off', true)"

# The exact contributions, a column each, and the numbers of the top reasons, 0 where there are no more.
CONTRIBUTIONS = [f"contribution_{field}" for field in FEATURES]
REASONS = [f"reason_{place}" for place in range(TOP)]
_ARRAYS = ", ".join(
    [*(f"%({name})s::smallint[]" for name in REASONS), *(f"%({name})s::real[]" for name in CONTRIBUTIONS)]
)

# Nothing is written where the row has moved on, or where another model has become active since the claim. What the row
# said before is read here once more, which is cheaper than sending it to and fro. A trigger of the bank's sees this
# UPDATE, too: where it has changed a behavioural field the row is stale again, in a version that no score answers yet.
WRITE = f"""
WITH scored AS (
    SELECT score.*, customer.churn_risk_score AS previous_score, customer.stale_since
    FROM unnest(%(ids)s::bigint[], %(versions)s::bigint[], %(scores)s::float8[], {_ARRAYS})
        AS score (customer_id, version, score, {", ".join([*REASONS, *CONTRIBUTIONS])})
    JOIN customers_customer AS customer USING (customer_id, version)
    WHERE %(release)s = (SELECT max(id) FROM customers_modelrelease)
), stored AS (
    UPDATE customers_customer AS customer
    SET churn_risk_score = scored.score, scored_version = scored.version, scored_by_id = %(release)s,
        scored_at = clock_timestamp(), stale_since = NULL,
        contributions = ARRAY[{", ".join(CONTRIBUTIONS)}],
        reason_codes = array_remove(ARRAY[{", ".join(REASONS)}], 0::smallint)
    FROM scored
    WHERE customer.customer_id = scored.customer_id AND customer.version = scored.version
    RETURNING customer.*, scored.previous_score, scored.stale_since AS was_stale_since, scored.score AS given_score
), healed AS (
    DELETE FROM customers_scoringfailure AS failure USING stored
    WHERE failure.customer_id = stored.customer_id RETURNING failure.customer_id, failure.version
), recorded AS (
INSERT INTO customers_scorerecord
    (customer_id, score, previous_score, version, cause, stale_since, edited_at, edited_by, scored_at, scored_by_id,
     contributions, {", ".join(FEATURES)})
SELECT customer_id, churn_risk_score, previous_score, version,
    CASE WHEN %(cause)s <> '' THEN %(cause)s
        WHEN stored.customer_id = ANY (%(requested)s::bigint[]) THEN '{ScoreRecord.Cause.ANALYZE}'
        WHEN EXISTS (SELECT FROM healed WHERE healed.customer_id = stored.customer_id
                     AND healed.version = stored.version) THEN '{ScoreRecord.Cause.RETRY}'
        WHEN previous_score IS NULL THEN '{ScoreRecord.Cause.CREATED}'
        WHEN was_stale_since IS NOT NULL THEN '{ScoreRecord.Cause.EDITED}'
        ELSE '{ScoreRecord.Cause.RELEASE}' END,
    was_stale_since, GREATEST(edited_at, was_stale_since), edited_by, scored_at, %(release)s,
    contributions, {", ".join(FEATURES)}
FROM stored WHERE version = scored_version RETURNING customer_id
)
SELECT (SELECT count(*) FROM recorded),
    (SELECT min(customer_id) FROM stored WHERE version = scored_version AND churn_risk_score <> given_score)
"""


class ScoreAlteredError(DataError):
    """A trigger of the bank's writes scores: what it makes of one must not call itself current."""


@dataclass(frozen=True)
class Batch:
    """What one pass did with the rows that were stale."""

    claimed: int  # taken hold of
    stored: int = 0  # scored
    refused: int = 0  # the model has no answer to them
    passed_over: int = 0  # somebody else holds them
    # Whether a sweep got on: there may be more to do, even if no row was found. How, not what.
    swept: bool = field(default=False, compare=False)

    @property
    def rejected(self) -> int:
        """Scores that came too late to be stored: another model has become active meanwhile."""
        return self.claimed - self.stored - self.refused


@dataclass(frozen=True)
class Stored:
    """How many scores were written, and what the database refused."""

    rows: int
    refusals: list[Refusal] = field(default_factory=list)


Store = Callable[[CursorWrapper, Claim, Explained, ModelRelease], Stored]


def rescore_batch(limit: int | None = None) -> Batch:
    """Score some ``limit`` customers who are stale or whom staff have asked for, live edits first, and commit.

    Rows that are being edited at this moment are left out: they will be stale again, or still. What the model has
    no answer to is recorded as a failure, apart from the scores: neither waits for the other. A sweep that is due gets
    one step further. Raises ``ModelError`` when there is no usable model; nothing is written then and the rows stay
    stale.
    """
    rows = limit or settings.DRAIN_BATCH_ROWS
    try:
        return batch_of(rows, store)
    except DatabaseError as error:
        if not refuses_a_row(error):
            raise
        log.warning("A batch could not be stored, its customers are tried one by one: %s", type(error).__name__)
        return batch_of(rows, store_one_by_one)


def batch_of(rows: int, storing: Store) -> Batch:
    """Claim, predict and store in one transaction, refused customers apart."""
    try:
        return batch_by(*model_at_hand(), rows, storing)
    except ReleaseMovedOnError:
        return batch_by(*active_model(), rows, storing)


def batch_by(forest: Forest, release: ModelRelease, rows: int, storing: Store) -> Batch:
    """As ``batch_of``. Raises ``ReleaseMovedOnError`` if this is not the active release; nothing has happened then."""
    with transaction.atomic(), connection.cursor() as cursor, scorer_rights(cursor, wait_for_disk=False):
        claim = claim_next(cursor, release, rows)
        scorable, answers, refusals = explain(forest, claim)
        stored = storing(cursor, scorable, answers, release) if len(scorable) else Stored(0)
        refusals += stored.refusals
        if stored.rows + len(refusals) < len(claim):
            marks.mark(scorable.ids)  # their marks go with this transaction, and their scores came too late
        failures.record(cursor, refusals, release)
    swept = claim.sweep_is_due and marks.sweep()
    return Batch(len(claim), stored.rows, len(refusals), claim.passed_over, swept)


def analyze(customer_id: int, cause: str = ScoreRecord.Cause.ANALYZE) -> float:
    """Score one customer now, store the score, and return it: a probability in [0, 1].

    Raises ``Customer.DoesNotExist``; ``CustomerBusyError`` when the row stays locked, or models keep changing;
    ``ModelError`` when there is no usable model; ``InputError`` when the model has no answer to these values.
    """
    for _ in range(ANALYZE_ATTEMPTS):
        score = analyze_once(customer_id, cause)
        if score is not None:
            return score
    raise CustomerBusyError("The active model changed again and again while this customer was being scored.")


def analyze_once(customer_id: int, cause: str) -> float | None:
    """As ``analyze``; None when another model became active meanwhile, so that nothing was written."""
    forest, release = active_model()
    with transaction.atomic(), connection.cursor() as cursor, scorer_rights(cursor):
        claim = claim_one(cursor, customer_id)
        answers = forest.explain_matrix(claim.features)
        return float(answers.scores[0]) if store(cursor, claim, answers, release, cause).rows else None


def store(cursor: CursorWrapper, claim: Claim, answers: Explained, release: ModelRelease, cause: str = "") -> Stored:
    """Write scores, reasons and history, in one statement, where nothing has changed since the claim.

    Without a ``cause`` each record says what the row itself shows: created, edited, retried, or another model; or that
    staff have asked. Raises ``ScoreAlteredError`` when a stored score is not the one given.
    """
    values: dict[str, Any] = {
        "ids": array(claim.ids),
        "versions": array(claim.versions),
        "scores": array(answers.scores.tolist()),
        "release": release.pk,
        "cause": cause,
        "requested": array(claim.requested),
        **reasons_in_columns(answers),
    }
    cursor.execute(WRITE, values)
    rows, altered = cursor.fetchone()
    if altered is not None:
        raise ScoreAlteredError(f"a trigger of this database gives customer {altered} another score than the model")
    return Stored(rows)


def reasons_in_columns(answers: Explained) -> dict[str, str]:
    """The nine contributions and the top reasons, an array for each column."""
    codes = top_codes(answers.matrix, answers.contributions, name_protected=settings.REASONS_NAME_PROTECTED)
    rounded = answers.contributions.round(CONTRIBUTION_DIGITS)
    return {
        **{name: array(column) for name, column in zip(REASONS, codes.T.tolist(), strict=True)},
        **{name: array(column) for name, column in zip(CONTRIBUTIONS, rounded.T.tolist(), strict=True)},
    }


def store_one_by_one(cursor: CursorWrapper, claim: Claim, answers: Explained, release: ModelRelease) -> Stored:
    """As ``store``, but a customer whom the database refuses is named and holds up no other."""
    rows, refusals = 0, []
    for position in range(len(claim)):
        one = claim.only([position])
        try:
            with transaction.atomic():
                rows += store(cursor, one, answers.only([position]), release).rows
        except DatabaseError as error:
            if not refuses_a_row(error):
                raise
            refusals.append(Refusal(one.ids[0], one.versions[0], in_words(error)))
    return Stored(rows, refusals)


def refuses_a_row(error: DatabaseError) -> bool:
    """Whether it may be a constraint or a trigger of the bank's that one customer offends. Nothing of ours does."""
    # What a trigger raises by hand is to Django an error in the program, as a missing table is.
    raised = isinstance(error.__cause__, RaiseException)
    return raised or isinstance(error, DataError | IntegrityError | InternalError)


def array(numbers: Sequence[float]) -> str:
    """Numbers as PostgreSQL reads an array. The driver's own way looks at each element: a fifth of a drain's time."""
    return "{" + ",".join(map(repr, numbers)) + "}"


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
