"""The sole writer of scores: claim stale customers, predict, write where nothing has changed meanwhile."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.db import DatabaseError, connection, connections, transaction
from django.db.backends.utils import CursorWrapper
from psycopg.errors import InsufficientPrivilege

from customers.ml_service import Explained
from customers.models import ModelRelease, ScoreRecord
from customers.releases.active import ReleaseMovedOnError, active_model, model_at_hand
from customers.scoring import failures, marks, promotion
from customers.scoring.claims import Claim, CustomerBusyError, claim_next, claim_one
from customers.scoring.contention import FEW_ROWS, LOCK_TIMEOUT, lost_to_an_editor
from customers.scoring.failures import explain
from customers.scoring.writing import Stored, pace, refuses_a_row, store, store_one_by_one

log = logging.getLogger("vigilpay.scoring")


# A model release that lands between claim and write is rare; several in a row are being made by hand.
ANALYZE_ATTEMPTS = 3

# Compiling a statement would take longer than running it: the planner takes each mark for a share of the table.
TAKE_RIGHTS = "SELECT set_config('vigilpay.scorer', 'on', true), set_config('jit', 'off', true)"
# A worker that is frozen in the middle of a batch would hold its rows for ever: PostgreSQL ends its session instead.
TAKE_RIGHTS_IN_A_HURRY = f"""{TAKE_RIGHTS}, set_config('synchronous_commit', 'off', true),
    set_config('idle_in_transaction_session_timeout', '15s', true),
    set_config('lock_timeout', '{LOCK_TIMEOUT}', true)"""
GIVE_RIGHTS_BACK = "SELECT set_config('vigilpay.scorer', 'off', true); SET LOCAL lock_timeout TO DEFAULT"


NOT_THE_SCORER = (
    "The database role of this process may not store scores: set VIGILPAY_SCORER_DATABASE_URL to one that may."
)


class NotTheScorerError(Exception):
    """PostgreSQL lets another role store scores, and not the one of this process. Nothing was written."""


@dataclass(frozen=True)
class Batch:
    """What one pass did with the rows that were stale."""

    claimed: int  # taken hold of
    stored: int = 0  # scored
    refused: int = 0  # the model has no answer to them
    passed_over: int = 0  # another transaction holds them
    # Whether a sweep got on: there may be more to do, even if no row was found. How, not what.
    swept: bool = field(default=False, compare=False)

    @property
    def rejected(self) -> int:
        """Scores that came too late to be stored: another model has become active meanwhile."""
        return self.claimed - self.stored - self.refused


Store = Callable[[CursorWrapper, Claim, Explained, ModelRelease], Stored]


def rescore_batch(limit: int | None = None) -> Batch:
    """Score some ``limit`` customers who are stale or whom staff have asked for, live edits first, and commit.

    Rows that are being edited at this moment are left out: they will be stale again, or still. What the model has
    no answer to is recorded as a failure, apart from the scores: neither waits for the other. A sweep that is due gets
    one step further, and what it finds is scored at once where there was nothing else.

    Where another model became active at this moment, that one scores. A batch that is lost to an editor, or of which
    the database refuses a row, is tried again, each customer for itself. Raises ``ModelError`` when there is no usable
    model; nothing is written then and the rows stay stale.
    """
    rows = pace.limited(limit or settings.DRAIN_BATCH_ROWS)
    model_has_changed = has_swept = False
    while True:
        try:
            batch = batch_of(rows)
        except ReleaseMovedOnError:
            if model_has_changed:
                raise
            active_model()  # from here on it is at hand
            model_has_changed = True
            continue
        if batch.claimed or not batch.swept or has_swept:
            return replace(batch, swept=batch.swept or has_swept)
        has_swept = True


def batch_of(rows: int, storing: Store = store) -> Batch:
    """Claim, predict and store in one transaction, refused customers apart. What a shadow has predicted is taken over.

    A batch that is lost to an editor, or of which the database refuses a row, is tried again one by one. Raises
    ``ReleaseMovedOnError`` if the release at hand is not the active one; nothing has happened then.
    """
    forest, release = model_at_hand()
    claiming = promotion.claim_rest if storing is store else claim_alone
    try:
        with transaction.atomic(), connection.cursor() as cursor, scorer_rights(cursor, wait_for_disk=False):
            claim, promoted = claiming(cursor, release, rows)
            scorable, answers, refusals = explain(forest, claim)
            stored = storing(cursor, scorable, answers, release) if len(scorable) else Stored(0)
            refusals += stored.refusals
            if stored.left:
                mark_again(cursor, release, scorable.ids[-stored.left :], set(claim.requested))
            elif stored.rows + len(refusals) < len(claim):
                marks.mark(scorable.ids)  # their marks go with this transaction, and their scores came too late
            failures.record(cursor, refusals, release)
    except DatabaseError as error:
        is_lost = lost_to_an_editor(error)
        if not is_lost and (storing is store_one_by_one or not refuses_a_row(error)):
            raise
        if storing is store_one_by_one:
            return Batch(claimed=0, passed_over=1)
        if is_lost:
            pace.lost()
            rows = min(rows, FEW_ROWS)
        else:
            log.warning("A batch could not be stored, its customers are tried one by one: %s", type(error).__name__)
        return batch_of(rows, store_one_by_one)
    if storing is store:
        pace.won()
    swept = claim.sweep_is_due and marks.sweep()
    claimed = len(claim) + promoted - stored.left
    return Batch(claimed, stored.rows + promoted, len(refusals), claim.passed_over + stored.left, swept)


def claim_alone(cursor: CursorWrapper, release: ModelRelease, limit: int) -> tuple[Claim, int]:
    """As ``promotion.claim_rest``, but nothing is taken over: where one of a batch was refused, each is computed."""
    return claim_next(cursor, release, limit), 0


def mark_again(cursor: CursorWrapper, release: ModelRelease, left: list[int], requested: set[int]) -> None:
    """The first of these was lost to an editor, and is passed over; the others have not been tried, and go on."""
    later = {left[0], *requested.intersection(left)}
    marks.pass_over(cursor, release, later, marks.Taken({marks.REQUEST: later & requested}))
    marks.mark_each([customer_id for customer_id in left if customer_id not in later])


def analyze(customer_id: int, cause: str = ScoreRecord.Cause.ANALYZE, *, seconds: float | None = None) -> float:
    """Score one customer now, store the score, and return it: a probability in [0, 1].

    An open edit of the row is waited for so many seconds, or else as the settings say.
    Raises ``Customer.DoesNotExist``; ``CustomerBusyError`` when the row stays locked, or models keep changing;
    ``ModelError`` when there is no usable model; ``InputError`` when the model has no answer to these values;
    ``NotTheScorerError`` when this process may not store scores.

    Where web pages have a role that may not, ``VIGILPAY_SCORER_DATABASE_URL`` names one that may: this is the only
    thing that is done in its name, so a caller's open edit of the same customer would be waited for in vain.
    """
    busy = "The active model changed again and again while this customer was being scored."
    for _ in range(ANALYZE_ATTEMPTS):
        try:
            forest, release = active_model()
            with as_scorer() as cursor:
                claim = claim_one(cursor, customer_id, seconds)
                cursor.execute(f"SET LOCAL lock_timeout TO '{LOCK_TIMEOUT}'")
                answers = forest.explain_matrix(claim.features)
                if store(cursor, claim, answers, release, cause).rows:
                    return float(answers.scores[0])
        except DatabaseError as error:
            if not lost_to_an_editor(error):
                raise
            busy = "An open edit holds what has to be written with this customer's score; nothing was written."
    raise CustomerBusyError(busy)


@contextmanager
def as_scorer() -> Iterator[CursorWrapper]:
    """A transaction that may store scores, of the role that may, where this process has another one.

    Raises ``NotTheScorerError`` where PostgreSQL does not let it.
    """
    using = settings.SCORER_DATABASE
    try:
        with transaction.atomic(using=using), connections[using].cursor() as cursor, scorer_rights(cursor):
            yield cursor
    except DatabaseError as error:
        if isinstance(error.__cause__, InsufficientPrivilege):
            raise NotTheScorerError(NOT_THE_SCORER) from error
        raise


@contextmanager
def scorer_rights(cursor: CursorWrapper, *, wait_for_disk: bool = True) -> Iterator[None]:
    """Let this transaction write the score columns, which the guard trigger keeps from all others.

    The right ends with the transaction, or here if another one surrounds ours; an exception rolls it back. Without
    ``wait_for_disk`` the commit does not: a score lost in a crash leaves its row stale, as it was.
    """
    cursor.execute(TAKE_RIGHTS if wait_for_disk else TAKE_RIGHTS_IN_A_HURRY)
    yield
    if cursor.db.savepoint_ids:
        cursor.execute(GIVE_RIGHTS_BACK)
