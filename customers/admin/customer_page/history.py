"""How the score of a customer has changed: the trend, and under it the changes, newest first."""

from collections.abc import Mapping, Sequence

from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.admin.customer_page.facts import CustomerFacts
from customers.admin.customer_page.headline import CAUSES
from customers.admin.customer_page.values import format_changes, part_name
from customers.history.timeline import Edit, Score, editor_names, format_editor
from customers.ml_service.reasons.moves import Move
from customers.presentation.bands import BANDS, badge
from customers.presentation.bars import way
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_signed
from customers.presentation.trend import Level, ScoredThen, trend

CHANGES_SHOWN = 10
MOVES_SHOWN = 4
VISIBLE_POINTS = 0.05  # with one decimal
SAME_TIME_SECONDS = 10.0
NO_EDITOR = ("", "django")  # in particular


def trend_block(facts: CustomerFacts) -> SafeString | str:
    scores = [ScoredThen(it.score.scored_at, it.score.score) for it in facts.history if it.score]
    if not scores:
        return "Not scored yet"
    levels = [Level(score, name) for score, name in zip(settings.RISK_BANDS, BANDS[1:], strict=True)]
    return format_html('<div class="vp-block">{}</div>', trend(scores, levels, facts.now))


def history_block(facts: CustomerFacts) -> SafeString | str:
    """The newest changes as a table, and where the others are."""
    editors = editor_names(facts.history)
    rows = [
        (
            format_time(it.score.scored_at) if it.score else "Score pending",
            format_risk(it.score),
            format_edits(it.edits, it.score, editors),
            format_moves(it.moves),
        )
        for it in facts.history[::-1][:CHANGES_SHOWN]
    ]
    if not rows:
        return "No history yet"
    return format_html(
        '<div class="vp-block"><table class="vp-story"><thead><tr><th scope="col">Time</th>'
        '<th scope="col">Churn risk</th><th scope="col">Change</th>'
        '<th scope="col">Effect in points</th></tr></thead>'
        "<tbody>{}</tbody></table>{}</div>",
        format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", rows),
        link_to_whole_history(facts),
    )


def format_risk(score: Score | None) -> SafeString | str:
    if score is None:
        return ""
    shown = badge(score.score)
    if score.previous_score is None:
        return shown
    return format_html("{} {}", shown, format_points(100 * (score.score - score.previous_score), " points"))


def format_edits(edits: Sequence[Edit], score: Score | None, editors: Mapping[str, str]) -> SafeString | str:
    """The edits that led to this score, or why it was given without one."""
    if not edits:
        return CAUSES.get(score.cause, "") if score else ""
    lines = ((format_edit_time(edit, score), format_edit(edit, editor_of(edit, editors))) for edit in edits)
    return format_html_join("", "<p>{}{}</p>", lines)


def format_edit_time(edit: Edit, score: Score | None) -> str:
    """Empty where the time of the score, which stands at the head of the row, says it well enough."""
    if edit.edited_at is None or (score and (score.scored_at - edit.edited_at).total_seconds() < SAME_TIME_SECONDS):
        return ""
    return f"{format_time(edit.edited_at)}, "


def editor_of(edit: Edit, editors: Mapping[str, str]) -> str:
    """By name; empty for none in particular."""
    return "" if edit.edited_by in NO_EDITOR else format_editor(editors[edit.edited_by])


def format_edit(edit: Edit, editor: str = "") -> SafeString | str:
    """``Data changed by clerk: Age 40 → 41``; the editor where one is given."""
    by = f" by {editor}" if editor else ""
    what = f"{CAUSES['returned' if edit.returned else 'created']}{by}"
    if edit.changes:
        changes = format_changes((it.field, it.before, it.after) for it in edit.changes)
        return format_html("{}: {}", what if edit.returned else f"Data changed{by}", changes)
    if edit.version > 1 and not edit.returned:
        return f"Data changed{by}"  # the values before are no longer kept
    return what


def format_moves(moves: Sequence[Move]) -> SafeString | str:
    named = ((part_name(move.part).lower(), format_points(move.points)) for move in moves[:MOVES_SHOWN])
    shown = format_html_join(", ", "{} {}", named)
    others = sum(move.points for move in moves[MOVES_SHOWN:])
    return format_html("{}, other {}", shown, format_points(others)) if abs(others) >= VISIBLE_POINTS else shown


def format_points(number: float, unit: str = "") -> SafeString:
    """In the colour of its direction, which the sign says as well."""
    return format_html('<span class="vp-points {}">{}{}</span>', way(number), format_signed(number, 1), unit)


def link_to_whole_history(facts: CustomerFacts) -> SafeString:
    address = reverse("admin:customers_customer_history", args=[facts.customer.pk])
    newest = f"The newest {CHANGES_SHOWN} are shown. " if len(facts.history) > CHANGES_SHOWN else ""
    return format_html('<p class="vp-quiet">{}<a href="{}">Full history</a></p>', newest, address)
