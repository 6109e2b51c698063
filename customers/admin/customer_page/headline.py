"""The head of a customer's page: the score, whether it is current and what to do if not, when and by which model."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.admin.customer_page.facts import CustomerFacts
from customers.admin.freshness import is_current
from customers.models import ScoreRecord
from customers.presentation.bands import band
from customers.presentation.durations import age_of, in_words

CAUSES: Mapping[str, str] = {
    ScoreRecord.Cause.CREATED: "the customer came",
    ScoreRecord.Cause.RETURNED: "the customer left the table and came back",
    ScoreRecord.Cause.EDITED: "an edit",
    ScoreRecord.Cause.RELEASE: "another model was released",
    ScoreRecord.Cause.ANALYZE: "somebody asked for it",
    ScoreRecord.Cause.RETRY: "tried again after a failure",
    ScoreRecord.Cause.AUDIT: "an audit found a wrong score",
}


def headline(facts: CustomerFacts) -> SafeString:
    """Score and band, large, and beside it whether it can be relied upon."""
    score, held = facts.customer.churn_risk_score, "" if is_current(facts.customer) else " vp-held"
    if score is None:
        shown = format_html('<span class="vp-badge vp-headline">{}</span>', "not scored yet")
    else:
        name = band(score)
        shown = format_html(
            '<span class="vp-badge vp-headline vp-{}{}">{} <small>{} risk</small></span>',
            name,
            held,
            f"{score:.1%}",
            name,
        )
    return format_html('<div class="vp-block vp-head">{} <span class="vp-state">{}</span></div>', shown, state(facts))


def state(facts: CustomerFacts) -> SafeString | str:
    customer = facts.customer
    if is_current(customer):
        return "current: the active model's answer to the fields as they are"
    if customer.failure_error is not None:
        return failed(facts)
    if customer.churn_risk_score is None:
        waits = f"waits for its first score since {age_of(customer.stale_since, facts.now)}"
    elif customer.stale_since is None:
        waits = "answers the same fields by a former model"
    else:
        waits = f"stale since {age_of(customer.stale_since, facts.now)}: the fields have changed"
    return f"{waits}. {facts.paused}" if facts.paused else f"{waits}, being rescored; reload to see the new score"


def failed(facts: CustomerFacts) -> SafeString:
    """The words for both kinds of failure, and what whoever reads them can do."""
    customer = facts.customer
    if customer.failure_retry_at is not None:
        return format_html(
            "The model could not score the customer; tried again at {} UTC: {}",
            f"{customer.failure_retry_at:%H:%M:%S}",
            customer.failure_error,
        )
    return format_html(
        "set aside: {}. Correct the field that this names and save, or have the customer tried again under {}.",
        customer.failure_error.removesuffix("."),
        link(
            facts,
            "scoringfailure",
            f"{reverse('admin:customers_scoringfailure_changelist')}?q={customer.pk}",
            "scoring failures",
        ),
    )


def link(facts: CustomerFacts, model_name: str, address: str, words: str) -> SafeString | str:
    """The words alone for whoever would be refused there."""
    return format_html('<a href="{}">{}</a>', address, words) if facts.may_see(model_name) else words


def scoring(facts: CustomerFacts) -> SafeString | str:
    """When the score was given, what for, and how long after the edit that it answers."""
    if facts.customer.scored_at is None:
        return "not yet"
    shown = f"{written(facts.customer.scored_at)}, {age_of(facts.customer.scored_at, facts.now)} ago"
    return format_html('<div class="vp-block"><p>{}</p><p>{}</p></div>', shown, lag(facts))


def lag(facts: CustomerFacts) -> str:
    """Of the newest score that an edit led to; nothing where its record is gone."""
    for chapter in reversed(facts.chapters):
        if chapter.score is None:
            continue
        edited = [edit.edited_at for edit in chapter.edits if edit.edited_at]
        why = CAUSES.get(chapter.score.cause, "not noted in those days")
        if not edited:
            return f"Why then: {why}."
        return f"Why then: {why}. From the edit to the score: {between(edited[0], chapter.score.scored_at)}."
    return ""


def between(edited_at: datetime, scored_at: datetime) -> str:
    return in_words((scored_at - edited_at).total_seconds())


def model(facts: CustomerFacts) -> SafeString | str:
    """The release that gave the score, with its quality, and a way to its card."""
    release = facts.release
    if release is None:
        return "none yet" if facts.customer.scored_by_id is None else "a release that is not kept any more"
    address = reverse("admin:customers_modelrelease_change", args=[release.pk])
    is_active = "the active one" if release.pk == facts.customer.active_release else "not the active one any more"
    return format_html(
        "{} of {}, {}. {}",
        link(facts, "modelrelease", address, f"Release {release.pk}"),
        f"{release.released_at:%Y-%m-%d}",
        is_active,
        quality(release.metadata),
    )


def quality(metadata: Any) -> str:
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


def written(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
