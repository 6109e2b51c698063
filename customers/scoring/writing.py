"""The one statement that stores scores, with their reasons and history, and what the database may answer to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError, InternalError, transaction
from django.db.backends.utils import CursorWrapper
from psycopg.errors import IdleInTransactionSessionTimeout, RaiseException

from customers.ml_service import Explained
from customers.ml_service.reasons.reasons import TOP, top_codes
from customers.ml_service.schema import FEATURES
from customers.models import Exclusion, ModelRelease, ScoreRecord
from customers.releases.active import NEWEST_RELEASE
from customers.scoring.claims import Claim
from customers.scoring.contention import Pace, lost_to_an_editor
from customers.scoring.failures import Refusal, describe_refusal

pace = Pace()

# A real holds seven digits; what is beyond them would only be sent and thrown away.
CONTRIBUTION_DIGITS = 8

# The exact contributions, a column each, and the numbers of the top reasons, 0 where there are no more.
CONTRIBUTIONS = [f"contribution_{field}" for field in FEATURES]
REASONS = [f"reason_{place}" for place in range(TOP)]
_ARRAYS = ", ".join(
    [*(f"%({name})s::smallint[]" for name in REASONS), *(f"%({name})s::real[]" for name in CONTRIBUTIONS)]
)
# Answers that this process has computed. Those that were stored before come from ``promotion.py``, by the same columns.
COMPUTED = f"""
    SELECT customer_id, version, score, ARRAY[{", ".join(CONTRIBUTIONS)}] AS parts,
        array_remove(ARRAY[{", ".join(REASONS)}], 0::smallint) AS codes
    FROM unnest(%(ids)s::bigint[], %(versions)s::bigint[], %(scores)s::float8[], {_ARRAYS})
        AS computed (customer_id, version, score, {", ".join([*REASONS, *CONTRIBUTIONS])})
"""

# Of the row as it was scored, for its history. A trigger of the bank's may change it in the same statement.
ANSWERED = ("arrived_at", "edited_at", "edited_by", *FEATURES)

_VALUES = "({0}." + ", {0}.".join(FEATURES) + ")"

# Whether a shadow run of ``share`` covers a customer: always the same ones, and by ids as good as drawn by lot.
IN_SHARE = "(hashint8({}) & 2147483647) < {} * 2147483648.0"

# Nothing is written where the row has moved on, or where another model has become active since the claim. What the row
# said before is read here once more, which is cheaper than sending it to and fro. Of a customer who came back the row
# says nothing, but the history does: a known risk is no news, nor is another model's answer to the same values. So it
# is of a customer whose objection was withdrawn: no other row without a score has a record of the same life. A trigger
# of the bank's may record an objection in this very UPDATE: then the row keeps no score, and there is none to record.
# The value at risk is rounded here, once, from the balance that was scored. A score is taken to numeric with 15 digits.
# Every column has its table's name in front, and none comes by a star: the bank may give its customers columns of any
# name. A trigger of the bank's sees this UPDATE, too: where it changes a behavioural field the row is stale again, in a
# version that no score answers yet, and the record is of the version and the values that this score answers.
# Where a proposed model is scored beside the active one, those whose values have changed are noted for it: in a table
# of its own, which only that job reads. Without such a run that costs a look into an empty index.
_WRITE = f"""
WITH scored AS (
    SELECT score.*, COALESCE(customer.churn_risk_score, known.score) AS previous_score,
        round(greatest(customer.balance, 0) * score.score::numeric, 2) AS value_at_risk,
        customer.stale_since AS was_stale_since, {", ".join(f"customer.{name}" for name in ANSWERED)},
        CASE WHEN known.has_same_values AND known.scored_by_id <> %(release)s THEN '{ScoreRecord.Cause.RELEASE}'
            WHEN known.is_of_this_life THEN '{ScoreRecord.Cause.RESUMED}'
            WHEN known.score IS NOT NULL THEN '{ScoreRecord.Cause.RETURNED}' END AS return_cause
    FROM ({{answers}}) AS score
    JOIN customers_customer AS customer
        ON customer.customer_id = score.customer_id AND customer.version = score.version{{and_same_life}}
    LEFT JOIN LATERAL (
        SELECT record.score, record.scored_by_id, record.arrived_at = customer.arrived_at AS is_of_this_life,
            {_VALUES.format("record")} = {_VALUES.format("customer")} AS has_same_values
        FROM customers_scorerecord AS record
        WHERE customer.churn_risk_score IS NULL AND record.customer_id = customer.customer_id
        ORDER BY record.id DESC LIMIT 1
    ) AS known ON true
    WHERE %(identity)s = ({NEWEST_RELEASE})
), stored AS (
    UPDATE customers_customer AS customer
    SET churn_risk_score = scored.score, value_at_risk = scored.value_at_risk, scored_version = scored.version,
        scored_by_id = %(release)s, scored_at = clock_timestamp(), stale_since = NULL,
        contributions = scored.parts, reason_codes = scored.codes
    FROM scored
    WHERE customer.customer_id = scored.customer_id AND customer.version = scored.version
    RETURNING scored.*, customer.scored_at, customer.contributions, customer.version AS stored_version,
        customer.churn_risk_score = scored.score AND customer.value_at_risk = scored.value_at_risk AS is_unaltered
), healed AS (
    DELETE FROM customers_scoringfailure AS failure USING stored
    WHERE failure.customer_id = stored.customer_id
    RETURNING failure.customer_id, failure.arrived_at, failure.version, failure.reason
), recorded AS (
INSERT INTO customers_scorerecord
    (customer_id, score, previous_score, version, cause, stale_since, edited_at, edited_by, arrived_at, scored_at,
     scored_by_id, contributions, {", ".join(FEATURES)})
SELECT stored.customer_id, stored.score, stored.previous_score, stored.version,
    CASE WHEN stored.return_cause = '{ScoreRecord.Cause.RELEASE}' THEN stored.return_cause
        WHEN %(cause)s <> '' THEN %(cause)s
        WHEN stored.customer_id = ANY (%(requested)s::bigint[]) THEN '{ScoreRecord.Cause.ANALYZE}'
        WHEN (stored.customer_id, stored.arrived_at, stored.version) IN (
            SELECT customer_id, arrived_at, version FROM healed WHERE reason <> '{Exclusion.WORD}')
            THEN '{ScoreRecord.Cause.RETRY}'
        WHEN stored.return_cause IS NOT NULL THEN stored.return_cause
        WHEN stored.previous_score IS NULL THEN '{ScoreRecord.Cause.CREATED}'
        WHEN stored.was_stale_since IS NOT NULL THEN '{ScoreRecord.Cause.EDITED}'
        ELSE '{ScoreRecord.Cause.RELEASE}' END,
    stored.was_stale_since, GREATEST(stored.edited_at, stored.was_stale_since), stored.edited_by, stored.arrived_at,
    stored.scored_at, %(release)s, stored.contributions, {", ".join(f"stored.{name}" for name in FEATURES)}
FROM stored WHERE stored.scored_at IS NOT NULL RETURNING customers_scorerecord.customer_id
), noted AS (
INSERT INTO customers_shadowwait (customer_ids)
SELECT array_agg(stored.customer_id) FROM stored JOIN customers_shadowrun AS run ON run.is_on
WHERE stored.was_stale_since IS NOT NULL AND {IN_SHARE.format("stored.customer_id", "run.share")}
HAVING count(*) > 0
)
SELECT {{written}},
    (SELECT min(stored.customer_id) FROM stored
     WHERE stored.stored_version = stored.version AND stored.is_unaltered IS NOT TRUE)
"""
WRITE = _WRITE.format(answers=COMPUTED, and_same_life="", written="(SELECT count(*) FROM recorded)")


def write_from(answers: str, *, and_same_life: str) -> str:
    """The same statement for answers that a query finds; it gives the ids of those stored."""
    return _WRITE.format(
        answers=answers, and_same_life=and_same_life, written="ARRAY(SELECT customer_id FROM recorded)"
    )


class ScoreAlteredError(DataError):
    """A trigger of the bank's writes scores: what it makes of one must not call itself current."""


@dataclass(frozen=True)
class Stored:
    """How many scores were written, what the database refused, and how many were left to an editor."""

    rows: int
    refusals: list[Refusal] = field(default_factory=list)
    left: int = 0


def store(cursor: CursorWrapper, claim: Claim, answers: Explained, release: ModelRelease, cause: str = "") -> Stored:
    """Write scores, reasons and history, in one statement, where nothing has changed since the claim.

    Without a ``cause`` each record says what the row itself shows: created, edited, retried, or another model; or that
    staff have asked. Raises ``ScoreAlteredError`` when a stored score is not the one given.
    """
    values = {**computed(claim, answers), **of_release(release), "cause": cause, "requested": array(claim.requested)}
    cursor.execute(WRITE, values)
    rows, altered = cursor.fetchone()
    refuse_altered(altered)
    return Stored(rows)


def computed(claim: Claim, answers: Explained) -> dict[str, Any]:
    """The parameters of ``COMPUTED``."""
    codes = top_codes(answers.matrix, answers.contributions, protected=settings.PROTECTED_FIELDS)
    rounded = answers.contributions.round(CONTRIBUTION_DIGITS)
    return {
        "ids": array(claim.ids),
        "versions": array(claim.versions),
        "scores": array(answers.scores.tolist()),
        **{name: array(column) for name, column in zip(REASONS, codes.T.tolist(), strict=True)},
        **{name: array(column) for name, column in zip(CONTRIBUTIONS, rounded.T.tolist(), strict=True)},
    }


def wording() -> str:
    """The rules by which ``computed`` chooses reasons: what was stored by others is computed anew."""
    return f"protected={','.join(sorted(settings.PROTECTED_FIELDS))}"


def of_release(release: ModelRelease) -> dict[str, Any]:
    return {"release": release.pk, "identity": release.identity}


def refuse_altered(customer_id: int | None) -> None:
    """Raise ``ScoreAlteredError`` where there is such a customer."""
    if customer_id is not None:
        raise ScoreAlteredError(f"a trigger of this database gives customer {customer_id} another score than the model")


def store_one_by_one(cursor: CursorWrapper, claim: Claim, answers: Explained, release: ModelRelease) -> Stored:
    """As ``store``, but a customer whom the database refuses is named and holds up no other.

    Ends with the first who is lost to an editor: what it has stored so far may be what that editor waits for.
    """
    rows = 0
    refusals: list[Refusal] = []
    for position in range(len(claim)):
        one = claim.only([position])
        try:
            with transaction.atomic():
                rows += store(cursor, one, answers.only([position]), release).rows
        except DatabaseError as error:
            if lost_to_an_editor(error):
                return Stored(rows, refusals, left=len(claim) - position)
            if not refuses_a_row(error):
                raise
            refusals.append(Refusal(one.ids[0], one.versions[0], describe_refusal(error)))
    return Stored(rows, refusals)


def refuses_a_row(error: DatabaseError) -> bool:
    """Whether it may be a constraint or a trigger of the bank's that one customer offends. Nothing of ours does."""
    if isinstance(error.__cause__, IdleInTransactionSessionTimeout):
        return False  # to Django an InternalError, too: the session has ended, since this process stood still
    # What a trigger raises by hand is to Django an error in the program, as a missing table is.
    return isinstance(error.__cause__, RaiseException) or isinstance(error, DataError | IntegrityError | InternalError)


def array(numbers: Sequence[float]) -> str:
    """Numbers as PostgreSQL reads an array. The driver's own way looks at each element: a fifth of a drain's time."""
    return "{" + ",".join(map(repr, numbers)) + "}"
