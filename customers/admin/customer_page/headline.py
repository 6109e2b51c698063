"""The head of a customer's page: the score, whether it is up to date and what to do if not, when and by which model."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.admin.customer_page.facts import CustomerFacts
from customers.admin.customer_page.state import describe_next_step, describe_state
from customers.history.timeline import HistoryEntry
from customers.models import Exclusion, ModelRelease, ScoreRecord
from customers.presentation.bands import band, band_classes
from customers.presentation.durations import format_age, format_day, format_time
from customers.presentation.numbers import format_percent
from customers.presentation.score_state import exclusion_of, is_current

CAUSES: Mapping[str, str] = dict(ScoreRecord.Cause.choices)


def headline(facts: CustomerFacts) -> SafeString:
    """Score and band, large, and beside it whether it can be relied upon."""
    score, held = facts.customer.churn_risk_score, "" if is_current(facts.customer) else " vp-held"
    if score is None:
        missing = "Not scored yet" if exclusion_of(facts.customer) is None else "No score"
        shown = format_html('<span class="vp-badge vp-headline">{}</span>', missing)
    else:
        shown = format_html(
            '<span class="vp-badge vp-headline {}{}">{} <small>{} risk</small></span>',
            band_classes(score),
            held,
            format_percent(score),
            band(score),
        )
    return format_html(
        '<div class="vp-block vp-head">{} <span class="vp-state">{}</span></div>', shown, format_state(facts)
    )


def format_state(facts: CustomerFacts) -> SafeString | str:
    """The state of the score, and what the reader can do about it."""
    customer, state = facts.customer, describe_state(facts.customer)
    if is_current(customer):
        return state
    match exclusion_of(customer):
        case Exclusion.OBJECTION:
            return f"{state}."
        case Exclusion.PERSON:
            return format_html(
                "{}. Resume scoring under {}, or change a field and save.", state, link_to_failures(facts)
            )
        case Exclusion.WORD:
            return f"{state}. Correct the value, or wait for a model release that knows it."
        case Exclusion.MODEL:
            return format_html(
                "{}. Correct the customer data and save, or retry under {}.", state, link_to_failures(facts)
            )
    return f"{state}. {describe_next_step()}"


def link_to_failures(facts: CustomerFacts) -> SafeString | str:
    address = reverse("admin:customers_scoringfailure_changelist")
    return link(facts, "scoringfailure", f"{address}?q={facts.customer.pk}", "Excluded customers")


def link(facts: CustomerFacts, model_name: str, address: str, words: str) -> SafeString | str:
    """The words alone for a reader who would be refused there."""
    return format_html('<a href="{}">{}</a>', address, words) if facts.may_see(model_name) else words


def scored_block(facts: CustomerFacts) -> SafeString | str:
    """When the score was given, what for, and how long after the change that it answers."""
    scored_at = facts.customer.scored_at
    if scored_at is None:
        return "Not scored yet" if exclusion_of(facts.customer) is None else "No score"
    shown = f"{format_time(scored_at)} ({format_age(scored_at, facts.now)} ago)"
    return format_html('<div class="vp-block"><p>{}</p><p>{}</p></div>', shown, describe_cause(facts.history))


def describe_cause(history: Sequence[HistoryEntry]) -> str:
    """Why the newest score was given, and how long after its change; nothing where that was not recorded."""
    newest = next((entry for entry in reversed(history) if entry.score), None)
    if newest is None or newest.score is None:
        return ""
    cause = CAUSES.get(newest.score.cause)
    changed_at = next((edit.edited_at for edit in newest.edits if edit.edited_at), None)
    lag = f"Scored {format_age(changed_at, newest.score.scored_at)} after the change." if changed_at else ""
    return " ".join(filter(None, (cause and f"{cause}.", lag)))


def format_model(facts: CustomerFacts) -> SafeString | str:
    """The release that gave the score, with its quality, and a way to its card."""
    scored_by = facts.customer.scored_by_id
    release = ModelRelease.objects.filter(pk=scored_by).first()
    if release is None:
        return "None yet" if scored_by is None else f"Release {scored_by}, no longer stored"
    address = reverse("admin:customers_modelrelease_change", args=[release.pk])
    return format_html(
        "{} of {}, {}. {}",
        link(facts, "modelrelease", address, f"Release {release.pk}"),
        format_day(release.released_at),
        "active" if release.pk == facts.customer.active_release else "no longer active",
        describe_quality(release.metadata),
    )


def describe_quality(metadata: Any) -> str:
    """The ROC AUC that the release was measured with; other tools' files may say anything, or nothing."""
    metrics = metadata.get("metrics") if isinstance(metadata, Mapping) else None
    found = metrics.get("roc_auc") if isinstance(metrics, Mapping) else None
    mean, deviation = (found.get("mean"), found.get("std")) if isinstance(found, Mapping) else (found, None)
    if not is_number(mean):
        return "Quality not measured."
    spread = f" ± {deviation:.3f}" if is_number(deviation) else ""
    return f"ROC AUC {mean:.3f}{spread} (0.5 is a guess, 1 is perfect)."


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
