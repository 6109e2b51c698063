"""All that is kept about one customer, for the customer who asks: article 15 of the GDPR."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from customers.admin.customer_page.headline import CAUSES
from customers.history.departures import departures_of
from customers.history.timeline import MOST_SCORES, Edit, HistoryEntry, Score, editor_names, read_history
from customers.ml_service.schema import FEATURES
from customers.models import AuditFinding, Contact, Customer, ModelRelease, Outcome, ScoringFailure, WorklistItem
from customers.outreach.contacts import describe_codes
from customers.presentation.bands import band
from customers.presentation.reasons import format_contributions, reasons_of
from events.models import Alert
from vigilpay.personal_data.person import Person, keyed_hashes
from vigilpay.personal_data.uploads import rows_about
from vigilpay.trail.models import TrailEntry

Row = Mapping[str, object]
Rows = Sequence[Row]

# Of the customer's own row: the engine's other columns say how the score was made, which the sections do in words.
VALUES = ("customer_id", "surname", *FEATURES, "objected_at", "arrived_at", "edited_at", "edited_by", "version")
SCORE = ("churn_risk_score", "value_at_risk", "scored_at", "scored_version", "stale_since")


@dataclass(frozen=True)
class Report:
    """Sections by name, each a list of rows. ``erasures`` are those of customers who had this id before."""

    customer_id: int
    reported_at: datetime
    sections: dict[str, Rows]
    erasures: Rows

    @property
    def is_empty(self) -> bool:
        return not any(self.sections.values())


def report(customer_id: int) -> Report:
    """Read it all. Rows of the history come oldest first, all others newest first."""
    customer = Customer.objects.filter(pk=customer_id).first()
    history = whole_history(customer_id)
    editors = editor_names(history)
    sections: dict[str, Rows] = {
        "values": [values_of(customer)] if customer else [],
        "reasons": reasons_for(customer) if customer else [],
        "scores": scores_of(history),
        "changes": [change(edit, editors[edit.edited_by]) for entry in history for edit in entry.edits],
        "departures": departures_of(customer_id),
        "alerts": alerts_of(customer_id),
        "contacts": contacts_of(customer_id),
        "worklists": items_of(customer_id),
        "outcome": list(Outcome.objects.filter(pk=customer_id).values("left_on", "stayed_until")),
        "exclusion from scoring": failures_of(customer_id),
        "audit findings": findings_of(customer_id),
        "uploads": uploads_of(Person(customer_id, customer.surname if customer else "")),
        "changes in the admin": admin_log_of(customer_id),
        "read or changed by": trail_of(customer_id),
    }
    return Report(customer_id, timezone.now(), sections, erasures_of(customer_id))


def whole_history(customer_id: int) -> list[HistoryEntry]:
    """All scores with what led to each, oldest first, read page by page."""
    pages = [read_history(customer_id, MOST_SCORES)]
    while (oldest := next((entry.score for entry in pages[-1] if entry.score), None)) is not None:
        pages.append(read_history(customer_id, MOST_SCORES, before=oldest.record))
    return list(chain.from_iterable(reversed(pages)))


def values_of(customer: Customer) -> Row:
    return {name: getattr(customer, name) for name in (*VALUES, *SCORE)}


def reasons_for(customer: Customer) -> Rows:
    """Of the present score, in words; none while it is not that of the present values."""
    return [{"reason": reason.label, "points": round(reason.points, 1)} for reason in reasons_of(customer)]


def scores_of(history: Sequence[HistoryEntry]) -> Rows:
    scores = [entry.score for entry in history if entry.score]
    models = ModelRelease.objects.in_bulk({score.release for score in scores})
    return [score_row(score, models.get(score.release)) for score in scores]


def score_row(score: Score, model: ModelRelease | None) -> Row:
    return {
        "scored_at": score.scored_at,
        "score": score.score,
        "band": band(score.score),
        "because": CAUSES.get(score.cause, ""),
        "reasons": format_contributions(score.contributions) if score.contributions else "",
        "model": f"release {score.release}"
        + (f" of {model.released_at:%Y-%m-%d}, {model.sha256[:12]}" if model else ""),
    }


def change(edit: Edit, editor: str) -> Row:
    """Without changes: the customer came with these values, or what was before is no longer kept."""
    what = {it.field: f"{it.before} -> {it.after}" for it in edit.changes}
    return {"at": edit.edited_at, "by": editor, "version": edit.version, "changed": what}


def alerts_of(customer_id: int) -> Rows:
    rows = Alert.objects.filter(customer_id=customer_id).values(
        "raised_at", "rule__name", "score", "score_before", "acknowledged_at", "acknowledged_by", "note"
    )
    return list(rows)


def contacts_of(customer_id: int) -> Rows:
    """With the score and the reasons that stood at that moment."""
    return [contact_row(contact) for contact in Contact.objects.filter(customer_id=customer_id)]


def contact_row(contact: Contact) -> Row:
    return {
        "at": contact.at,
        "by": contact.by,
        "channel": contact.get_channel_display(),
        "outcome": contact.get_outcome_display(),
        "note": contact.note,
        "follow_up_on": contact.follow_up_on,
        "score": contact.score,
        "reasons": describe_codes(contact.reason_codes),
        "model": "" if contact.release_id is None else f"release {contact.release_id}",
    }


def items_of(customer_id: int) -> Rows:
    rows = WorklistItem.objects.filter(customer_id=customer_id)
    return list(rows.values("claimed_by", "claimed_at", "snoozed_until", "done_at", "score", "value_at_risk"))


def failures_of(customer_id: int) -> Rows:
    rows = ScoringFailure.objects.filter(pk=customer_id)
    return list(rows.values("reason", "error", "attempts", "first_failed_at", "last_failed_at", "retry_at"))


def findings_of(customer_id: int) -> Rows:
    rows = AuditFinding.objects.filter(customer_id=customer_id)
    return list(rows.values("found_at", "stored_score", "expected_score", "version", "repaired_at"))


def uploads_of(person: Person) -> Rows:
    """Rows about the customer in uploaded files that wait, and rejected ones."""
    return [
        {"file": batch.file_name, "uploaded_at": batch.uploaded_at, "state": batch.get_state_display(), "row": row}
        for batch, row in rows_about(person)
    ]


def admin_log_of(customer_id: int) -> Rows:
    about = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Customer), object_id=str(customer_id)
    ).select_related("user")
    return [
        {"at": entry.action_time, "by": entry.user.get_username(), "what": entry.get_change_message() or str(entry)}
        for entry in about
    ]


def trail_of(customer_id: int) -> Rows:
    return [
        {
            "at": entry.at,
            "by": entry.describe_actor(),
            "purpose": entry.get_purpose_display(),
            "refused": entry.refused,
            "address": entry.address,
        }
        for entry in TrailEntry.objects.about(customer_id).with_user_names()
    ]


def erasures_of(customer_id: int) -> Rows:
    entries = TrailEntry.objects.filter(purpose=TrailEntry.Purpose.ERASE, erased__overlap=keyed_hashes(customer_id))
    return [{"at": entry.at, "by": entry.actor} for entry in entries]
