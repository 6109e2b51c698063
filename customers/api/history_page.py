"""The history of one customer for the JSON view: pages of entries, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from customers.api.parameters import Parameter, whole_number
from customers.history.timeline import (
    LARGEST_RECORD,
    MOST_SCORES,
    HistoryEntry,
    Score,
    editor_names,
    newest,
    read_history,
)
from customers.ml_service.reasons.moves import Move
from customers.ml_service.schema import FEATURES
from customers.models import Customer, ScoreRecord
from customers.presentation.bands import band

DEFAULT_LIMIT = 20

PARAMETERS: Mapping[str, Parameter] = {
    "limit": whole_number("How many scores.", MOST_SCORES, default=DEFAULT_LIMIT),
    "before": whole_number("The next_before of the page before; without it the newest.", LARGEST_RECORD),
}

Json = dict[str, object]


def page(customer_id: int, *, limit: int = DEFAULT_LIMIT, before: int | None = None) -> Json:
    """The newest ``limit`` scores, or the newest that are older than the record ``before``, with what led to each.

    ``next_before`` leads to the next page; None on the last one. Raises ``Customer.DoesNotExist`` for an unknown
    customer; the history of a deleted one can still be read.
    """
    chapters = read_history(customer_id, limit + 1, before)
    customer = Customer.objects.filter(pk=customer_id).first()
    # With ``before`` there may be none left of a known customer.
    if not chapters and customer is None and not ScoreRecord.objects.filter(customer_id=customer_id).exists():
        raise Customer.DoesNotExist(f"Nothing is known of a customer {customer_id}.")
    shown = newest(chapters, limit)
    records = [chapter.score.record for chapter in shown if chapter.score]
    names = editor_names(shown)
    return {
        "customer_id": customer_id,
        "objected_at": customer and customer.objected_at,
        "entries": [entry(chapter, names) for chapter in reversed(shown)],
        "next_before": records[0] if len(shown) < len(chapters) else None,
    }


def entry(chapter: HistoryEntry, names: Mapping[str, str]) -> Json:
    """A score and what led to it. All about the score is None where the edits still wait for theirs.

    Of the edits the newest one's time and author, the fields that any of them changed, and all of them, oldest first.
    """
    changed = {change.field for edit in chapter.edits for change in edit.changes}
    last = chapter.edits[-1] if chapter.edits else None
    return {
        **(score_fields(chapter.score, chapter.moves) if chapter.score else NO_SCORE),
        "edited_at": last.edited_at if last else None,
        "edited_by": names[last.edited_by] if last else None,
        "changed": [field for field in FEATURES if field in changed],
        "edits": [
            {
                "version": edit.version,
                "edited_at": edit.edited_at,
                "edited_by": names[edit.edited_by],
                "returned": edit.returned,
                "changes": {it.field: {"before": it.before, "after": it.after} for it in edit.changes},
            }
            for edit in chapter.edits
        ],
    }


def score_fields(score: Score, moves: Sequence[Move]) -> Json:
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
