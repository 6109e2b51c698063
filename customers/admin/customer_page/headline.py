"""The head of a customer's page: the score, whether it is current and what to do if not, when and by which model."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.admin.customer_page.facts import CustomerFacts
from customers.history.timeline import HistoryEntry
from customers.models import Exclusion, ModelRelease, ScoreRecord
from customers.presentation.bands import band
from customers.presentation.durations import format_age, format_time
from customers.presentation.score_state import exclusion_of, is_current
from customers.scoring import pause

CAUSES: Mapping[str, str] = {
    ScoreRecord.Cause.CREATED: "the customer came",
    ScoreRecord.Cause.RETURNED: "the customer left the table and came back",
    ScoreRecord.Cause.RESUMED: "the objection to profiling was withdrawn",
    ScoreRecord.Cause.EDITED: "an edit",
    ScoreRecord.Cause.RELEASE: "another model was released",
    ScoreRecord.Cause.ANALYZE: "somebody asked for it",
    ScoreRecord.Cause.RETRY: "tried again after a failure",
    ScoreRecord.Cause.AUDIT: "an audit found a wrong score",
}

OBJECTED = "The customer has objected to profiling"
NO_PROFILE = "no score is made or kept while the objection stands"


def headline(facts: CustomerFacts) -> SafeString:
    """Score and band, large, and beside it whether it can be relied upon."""
    score, held = facts.customer.churn_risk_score, "" if is_current(facts.customer) else " vp-held"
    if score is None:
        words = "not scored yet" if facts.customer.objected_at is None else "not scored"
        shown = format_html('<span class="vp-badge vp-headline">{}</span>', words)
    else:
        name = band(score)
        shown = format_html(
            '<span class="vp-badge vp-headline vp-{}{}">{} <small>{} risk</small></span>',
            name,
            held,
            f"{score:.1%}",
            name,
        )
    return format_html(
        '<div class="vp-block vp-head">{} <span class="vp-state">{}</span></div>', shown, describe_state(facts)
    )


def describe_state(facts: CustomerFacts) -> SafeString | str:
    customer = facts.customer
    if is_current(customer):
        return "current: the active model's answer to the fields as they are"
    if customer.objected_at is not None:
        return f"{OBJECTED} since {format_time(customer.objected_at)}: {NO_PROFILE}"
    if customer.failure_error is not None:
        return describe_failure(facts)
    if customer.churn_risk_score is None:
        waits = f"waits for its first score since {format_age(customer.stale_since, facts.now)}"
    elif customer.stale_since is None:
        waits = "answers the same fields by a former model"
    else:
        waits = f"stale since {format_age(customer.stale_since, facts.now)}: the fields have changed"
    paused = pause.notice()
    return f"{waits}. {paused}" if paused else f"{waits}, being rescored; reload to see the new score"


def describe_failure(facts: CustomerFacts) -> SafeString:
    """Each kind of exclusion that is not the customer's own, and what the reader can do about it."""
    customer = facts.customer
    if customer.failure_retry_at is not None:
        return format_html(
            "{}; tried again at {} UTC: {}",
            "Excluded by staff until now"
            if customer.failure_reason == Exclusion.PERSON
            else "The model could not score the customer",
            f"{customer.failure_retry_at:%H:%M:%S}",
            customer.failure_error,
        )
    by_staff = exclusion_of(customer) == Exclusion.PERSON
    return format_html(
        "{}: {}. {}, or have the customer tried again under {}.",
        "excluded from scoring by staff" if by_staff else "set aside",
        customer.failure_error.removesuffix("."),
        "Edit a field and save" if by_staff else "Correct the field that this names and save",
        link(
            facts,
            "scoringfailure",
            f"{reverse('admin:customers_scoringfailure_changelist')}?q={customer.pk}",
            "scoring failures",
        ),
    )


def link(facts: CustomerFacts, model_name: str, address: str, words: str) -> SafeString | str:
    """The words alone for a reader who would be refused there."""
    return format_html('<a href="{}">{}</a>', address, words) if facts.may_see(model_name) else words


def scored_block(facts: CustomerFacts) -> SafeString | str:
    """When the score was given, what for, and how long after the edit that it answers."""
    if facts.customer.scored_at is None:
        return "not yet"
    shown = f"{format_time(facts.customer.scored_at)}, {format_age(facts.customer.scored_at, facts.now)} ago"
    return format_html('<div class="vp-block"><p>{}</p><p>{}</p></div>', shown, describe_cause(facts.history))


def describe_cause(history: Sequence[HistoryEntry]) -> str:
    """Why the newest score was given, and how long after its edit; nothing where its record is gone."""
    newest = next((chapter for chapter in reversed(history) if chapter.score), None)
    if newest is None or newest.score is None:
        return ""
    cause = f"Why then: {CAUSES.get(newest.score.cause, 'not noted in those days')}."
    edited_at = next((edit.edited_at for edit in newest.edits if edit.edited_at), None)
    lag = f" From the edit to the score: {format_age(edited_at, newest.score.scored_at)}." if edited_at else ""
    return f"{cause}{lag}"


def format_model(facts: CustomerFacts) -> SafeString | str:
    """The release that gave the score, with its quality, and a way to its card."""
    release = ModelRelease.objects.filter(pk=facts.customer.scored_by_id).first()
    if release is None:
        return "none yet" if facts.customer.scored_by_id is None else "a release that is not kept any more"
    address = reverse("admin:customers_modelrelease_change", args=[release.pk])
    is_active = "the active one" if release.pk == facts.customer.active_release else "not the active one any more"
    return format_html(
        "{} of {}, {}. {}",
        link(facts, "modelrelease", address, f"Release {release.pk}"),
        f"{release.released_at:%Y-%m-%d}",
        is_active,
        describe_quality(release.metadata),
    )


def describe_quality(metadata: Any) -> str:
    """The ROC AUC that the release was measured with; other tools' files may say anything, or nothing."""
    metrics = metadata.get("metrics") if isinstance(metadata, Mapping) else None
    found = metrics.get("roc_auc") if isinstance(metrics, Mapping) else None
    mean, deviation = (found.get("mean"), found.get("std")) if isinstance(found, Mapping) else (found, None)
    if not is_number(mean):
        return "Its quality was not measured."
    spread = f" ± {deviation:.3f}" if is_number(deviation) else ""
    return f"ROC AUC {mean:.3f}{spread} (0.5 is a guess, 1 is perfect)."


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
