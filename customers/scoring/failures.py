"""Customers whom the model can not score: isolated, tried again with growing pauses, then given up as dead letters.

The pattern is that of a dead letter queue (G. Hohpe and B. Woolf, Enterprise Integration Patterns, "Dead Letter
Channel"); the letter itself stays where it was, for the customer's row is the truth.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from django.conf import settings
from django.db.backends.utils import CursorWrapper
from django.db.models import Subquery
from django.db.models.functions import Now

from customers.ml_service import Explained, Forest, InputError, ModelError, UnknownWordError
from customers.ml_service.messages import FIELD_NAMES
from customers.ml_service.schema import BOUNDS, WORD_FIELDS
from customers.models import CustomerQuerySet, Exclusion, ModelRelease, ScoringFailure
from customers.models.rescoring import SAME_VERSION
from customers.scoring.claims import Claim

log = logging.getLogger("vigilpay.scoring")

SAME = """failure.arrived_at = excluded.arrived_at AND failure.version = excluded.version
        AND failure.release_id = excluded.release_id"""

# One more attempt. The pause before the next grows fourfold; after the last there is none, the customer is given up.
# An edit in between (another version), another life, or another model, begins anew. Which life it is stands in the row,
# which the caller holds. Where the model does not know a word, trying again cannot help.
RECORD = f"""
INSERT INTO customers_scoringfailure AS failure
    (customer_id, arrived_at, version, release_id, reason, word, attempts, error, first_failed_at, last_failed_at,
     retry_at)
SELECT customer_id, customer.arrived_at, version, %(release)s,
    CASE refused.word WHEN '' THEN '{Exclusion.MODEL}' ELSE '{Exclusion.WORD}' END, refused.word, 1, refused.error,
    clock_timestamp(), clock_timestamp(),
    CASE WHEN refused.word = '' AND %(attempts)s > 1 THEN clock_timestamp() + make_interval(secs => %(pause)s) END
FROM unnest(%(ids)s::bigint[], %(versions)s::bigint[], %(errors)s::text[], %(words)s::text[])
    AS refused (customer_id, version, error, word)
JOIN customers_customer AS customer USING (customer_id, version)
ON CONFLICT (customer_id) DO UPDATE SET
    arrived_at = excluded.arrived_at, version = excluded.version, release_id = excluded.release_id,
    reason = excluded.reason, word = excluded.word, error = excluded.error, last_failed_at = excluded.last_failed_at,
    first_failed_at = CASE WHEN {SAME} THEN failure.first_failed_at ELSE excluded.first_failed_at END,
    attempts = CASE WHEN {SAME} THEN failure.attempts + 1 ELSE 1 END,
    retry_at = CASE WHEN NOT ({SAME}) OR excluded.word <> '' THEN excluded.retry_at
        WHEN failure.attempts + 1 < %(attempts)s
        THEN clock_timestamp() + make_interval(secs => %(pause)s * power(4, failure.attempts)) END
"""


def ordinary_customer(forest: Forest) -> dict[str, Any]:
    """Every model that works at all can score this customer: tells a broken model from a strange customer."""
    middle = {field: (bounds.low + bounds.high) // 2 for field, bounds in BOUNDS.items()}
    words = {field: forest.encodings.words(field)[0] for field in WORD_FIELDS}
    return {**middle, **words, "has_cr_card": True, "is_active_member": True}


@dataclass(frozen=True)
class Refusal:
    """A customer in a version that got no score, and why: in words, without a customer's name.

    ``answer`` says it to programs, which know the fields by their own names; empty where it is the same. ``unknown`` is
    there where the reason is a word that the model does not know.
    """

    customer_id: int
    version: int
    error: str
    answer: str = ""
    unknown: UnknownWordError | None = None

    @property
    def word(self) -> str:
        """What the model does not know, such as ``country Italy``; empty where that is not the reason."""
        return "" if self.unknown is None else self.unknown.called


def explain(forest: Forest, claim: Claim) -> tuple[Claim, Explained, list[Refusal]]:
    """The claimed rows that the model can score, with scores and reasons, and what became of the others.

    Raises ``ModelError`` when it is the model that fails, not the customers.
    """
    try:
        answers = explain_all(forest, claim)
    except ModelError:
        raise
    except Exception:  # whatever a model or a customer may do: one of them must not hold up the others
        unknown = forest.encodings.find_unknown_words(claim.features)
        if unknown:
            return explain_the_others(forest, claim, unknown)
        log.debug("A batch of %s could not be scored as a whole", len(claim), exc_info=True)
        return isolate(forest, claim)
    return claim, answers, []


def explain_the_others(
    forest: Forest, claim: Claim, unknown: Mapping[int, UnknownWordError]
) -> tuple[Claim, Explained, list[Refusal]]:
    """As ``explain``, where the model does not know a word in the rows at these positions: they may be all of them."""
    known = claim.only([position for position in range(len(claim)) if position not in unknown])
    scorable, answers, refusals = explain(forest, known)
    waiting = [
        Refusal(claim.ids[position], claim.versions[position], error.message, unknown=error)
        for position, error in unknown.items()
    ]
    return scorable, answers, [*refusals, *waiting]


def isolate(forest: Forest, claim: Claim) -> tuple[Claim, Explained, list[Refusal]]:
    """As ``explain``, one customer at a time."""
    answers = {}
    refusals = []
    for position, customer_id in enumerate(claim.ids):
        try:
            answers[position] = explain_all(forest, claim.only([position]))
        except Exception as error:
            blame_the_model_if_it_fails(forest, error)
            answer = error.message if isinstance(error, InputError) else ""
            refusals.append(Refusal(customer_id, claim.versions[position], describe_refusal(error), answer))
    return claim.only(list(answers)), Explained.joined([forest.explain_matrix([]), *answers.values()]), refusals


def explain_all(forest: Forest, claim: Claim) -> Explained:
    """The forest's answers. Raises ``ArithmeticError`` where one is no probability: the table would refuse it."""
    answers = forest.explain_matrix(claim.features)
    if not ((answers.scores >= 0) & (answers.scores <= 1)).all():  # NaN is in no interval
        raise ArithmeticError("The model's answer is not a probability.")
    if not np.isfinite(answers.contributions).all():
        raise ArithmeticError("A contribution to the model's answer is not a number.")
    return answers


def blame_the_model_if_it_fails(forest: Forest, error: Exception) -> None:
    """Raise ``ModelError`` if the model has no answer to any customer: then no customer is to be given up."""
    if isinstance(error, InputError):
        return
    try:
        forest.predict_one(ordinary_customer(forest))
    except InputError:
        pass  # an answer, too
    except Exception as broken:
        raise ModelError(f"The model cannot score any customer: {describe_refusal(broken)}") from broken


def describe_refusal(error: Exception) -> str:
    """An error in one line that fits the column. Of PostgreSQL's never the details, which quote the whole row."""
    cause = error.__cause__
    if isinstance(error, UnknownWordError):
        text = describe_unknown_word(error)
    elif isinstance(error, InputError):
        text = describe_input_error(error)
    elif isinstance(cause, psycopg.Error):
        text = cause.diag.message_primary or type(error).__name__
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())[:500]


def describe_input_error(error: InputError) -> str:
    """Its message for staff: the field by the name that people call it, without the row's index."""
    name = FIELD_NAMES.get(error.field or "")
    if name is None or not error.message.startswith(f"{error.field} "):
        return error.message
    return f"{name.capitalize()}{error.message.removeprefix(error.field or '')}"


def describe_unknown_word(error: UnknownWordError, release: int | None = None) -> str:
    """``The active model (release 4) does not know the country Italy; it knows France, Germany, Spain.``"""
    return error.of(f"The active model (release {release or ModelRelease.objects.active_id()})").message


def record(cursor: CursorWrapper, refusals: Sequence[Refusal], release: ModelRelease) -> None:
    """Count one more attempt for each, and set the time of the next; one line in the log for each reason."""
    if not refusals:
        return
    unknown = {refusal.word: refusal.unknown for refusal in refusals if refusal.unknown is not None}
    waiting = {word: describe_unknown_word(error, release.pk)[:500] for word, error in unknown.items()}
    cursor.execute(
        RECORD,
        {
            "ids": [refusal.customer_id for refusal in refusals],
            "versions": [refusal.version for refusal in refusals],
            "errors": [waiting.get(refusal.word, refusal.error) for refusal in refusals],
            "words": [refusal.word for refusal in refusals],
            "release": release.pk,
            "attempts": settings.RETRY_ATTEMPTS,
            "pause": settings.RETRY_SECONDS,
        },
    )
    for sentence in waiting.values():
        report_once(sentence)
    for error in dict.fromkeys(refusal.error for refusal in refusals if not refusal.word):
        first, *others = (refusal for refusal in refusals if refusal.error == error)
        more = f" and {len(others):,} others" if others else ""
        log.warning("No score for customer %s, version %s%s: %s", first.customer_id, first.version, more, error)


# The sentences of unknown words that are in this process's log: thousands of customers may wait for one word.
_reported: set[str] = set()
MOST_REPORTED = 10_000


def report_once(sentence: str) -> None:
    """A line in the log for each word that a release does not know. The sentence names word and release."""
    if sentence not in _reported and len(_reported) < MOST_REPORTED:
        _reported.add(sentence)
        log.warning("%s Its customers wait for a release that does.", sentence)


def requeue(customers: Any = None) -> int:
    """Try these again at once, or all, with a full number of attempts, whatever had excluded them; how many there were.

    ``customers`` are ids, or a query of them. Not tried are customers who have objected, and those who wait for a model
    that knows a word: they would only be refused again. A drain marks the due.
    """
    failed = ScoringFailure.objects.of_present_life().without_words()
    if customers is not None:
        failed = failed.filter(pk__in=customers)
    return failed.update(attempts=0, retry_at=Now())


def with_failure(customers: CustomerQuerySet) -> CustomerQuerySet:
    """With ``failure_error``, ``_reason``, ``_word`` and ``_retry_at``, of the present version and the active model.

    Of customers without a failure they are None.
    """
    failure = ScoringFailure.objects.filter(**SAME_VERSION, release=Subquery(ModelRelease.objects.newest_id()))
    return customers.annotate(
        failure_error=Subquery(failure.values("error")),
        failure_reason=Subquery(failure.values("reason")),
        failure_word=Subquery(failure.values("word")),
        failure_retry_at=Subquery(failure.values("retry_at")),
    )
