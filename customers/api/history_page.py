"""The story of one customer for the JSON view: pages of entries, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from customers.history.timeline import Edit, HistoryEntry, Score, editor_names, newest, read_history
from customers.ml_service.reasons.moves import Move
from customers.ml_service.schema import FEATURES
from customers.models import Customer, ScoreRecord
from customers.presentation.bands import band

DEFAULT_LIMIT = 20

Json = dict[str, object]


def page(customer_id: int, *, limit: int = DEFAULT_LIMIT, before: int | None = None) -> Json:
    """The newest ``limit`` scores, or the newest that are older than the record ``before``, with what led to each.

    ``next_before`` leads to the next page; None on the last one. Raises ``Customer.DoesNotExist`` for somebody of whom
    nothing is known; the story of a customer who was deleted is still told.
    """
    chapters = read_history(customer_id, limit + 1, before)
    if not chapters and not is_known(customer_id):
        raise Customer.DoesNotExist(f"Nothing is known of a customer {customer_id}.")
    shown = newest(chapters, limit)
    records = [chapter.score.record for chapter in shown if chapter.score]
    names = editor_names(shown)
    return {
        "customer_id": customer_id,
        "entries": [entry(chapter, names) for chapter in reversed(shown)],
        "next_before": records[0] if len(shown) < len(chapters) else None,
    }


def is_known(customer_id: int) -> bool:
    customers, records = Customer.objects.filter(pk=customer_id), ScoreRecord.objects.filter(customer_id=customer_id)
    return customers.exists() or records.exists()


def entry(chapter: HistoryEntry, names: Mapping[str, str]) -> Json:
    """A score and what led to it. All about the score is None where the edits still wait for theirs."""
    score = score_told(chapter.score, chapter.moves) if chapter.score else NO_SCORE
    return {**score, **edits_told(chapter.edits, names)}


def score_told(score: Score, moves: Sequence[Move]) -> Json:
    reasons = score.contributions
    return {
        "record": score.record,
        "score": score.score,
        "band": band(score.score),
        "previous_score": score.previous_score,
        "change": None if score.previous_score is None else score.score - score.previous_score,
        "moves": [asdict(move) for move in moves],
        "contributions": None if reasons is None else dict(zip(FEATURES, reasons, strict=True)),
        "cause": score.cause,
        "scored_at": score.scored_at,
        "model_release": score.release,
    }


NO_SCORE: Json = dict.fromkeys(
    (
        *("record", "score", "band", "previous_score", "change", "moves", "contributions"),
        *("cause", "scored_at", "model_release"),
    )
)


def edits_told(edits: Sequence[Edit], names: Mapping[str, str]) -> Json:
    """The newest edit's time and author, the fields that any of them changed, and all of them, oldest first."""
    changed = {change.field for edit in edits for change in edit.changes}
    last = edits[-1] if edits else None
    return {
        "edited_at": last.edited_at if last else None,
        "edited_by": names[last.edited_by] if last else None,
        "changed": [field for field in FEATURES if field in changed],
        "edits": [edit_told(edit, names) for edit in edits],
    }


def edit_told(edit: Edit, names: Mapping[str, str]) -> Json:
    return {
        "version": edit.version,
        "edited_at": edit.edited_at,
        "edited_by": names[edit.edited_by],
        "returned": edit.returned,
        "changes": {change.field: {"before": change.before, "after": change.after} for change in edit.changes},
    }
